"""The notebooks say the same as the Python files that they are made from, show what a run of today shows, and run."""

import importlib.util
import re
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed (pip install '.[notebooks]')")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (pip install '.[notebooks]')")
pytest.importorskip("nbclient", reason="nbclient is not installed (pip install '.[notebooks]')")

from notebooks.build import (  # noqa: E402 - it needs the extra
    MAX_BYTES,
    ROOT,
    SOURCES,
    kinds_of_outputs,
    run_notebook,
)

NAMES = [source.stem for source in SOURCES]
NEEDS = {"06_serve_and_batch": ("ray", "tensorflow_serving", "pyarrow")}
# What a run must have said, at any size.
WORDS = {
    "01_first_maps": ("drawn      Omega_m", "truths inside 68 % regions: 0."),
    "02_your_camels_file": ("mock maps: ", "disconnected", "continuing", "without a gap: True", "Yes, in part"),
    "03_infer_cosmology": ("evaluated at ", "maps count as ", "map 3: unlike the training maps", "other units?"),
    "04_judge_an_emulator": ("Yes: the run has seen none", "checks pass", "a linear classifier"),
    "06_serve_and_batch": ("False False", "draw the same maps", "a wrong question: ", "NaN: 1, the map with"),
    "07_the_demo_in_python": ("checks pass", "open demo_in_python/report.html"),
}
# Paths of a machine, and times of a clock.
OF_ONE_MACHINE = re.compile(
    r"/(?:home|root|tmp|Users|work|content/higlow|usr/lib|var)/|ipykernel_|\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2}:\d{2}"
)


def stored(name):
    return nbformat.read(Path(SOURCES[0]).with_name(f"{name}.ipynb"), as_version=4)


def sources(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def printed(notebook):
    """All that the code cells printed or returned as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def test_there_is_one_for_each_user_and_no_other_file():
    assert {"01_first_maps", "02_your_camels_file", "03_infer_cosmology", "04_judge_an_emulator"} < set(NAMES)
    assert {"06_serve_and_batch", "07_the_demo_in_python"} < set(NAMES)
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_its_python_file_says_with_the_outputs_of_a_run(name):
    notebook = stored(name)
    assert sources(notebook) == sources(jupytext.read(ROOT / "notebooks" / f"{name}.py"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    text = printed(notebook)
    assert all(words in text for words in WORDS.get(name, ("",)))
    assert not OF_ONE_MACHINE.search(text), OF_ONE_MACHINE.search(text)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert (ROOT / "notebooks" / f"{name}.ipynb").stat().st_size <= MAX_BYTES


@pytest.mark.parametrize("page", ["notebooks/README.md", "docs/tutorials.md"])
def test_the_lists_of_the_notebooks_are_whole(page):
    assert sorted(set(re.findall(r"\b\d\d_\w+", (ROOT / page).read_text(encoding="utf-8")))) == NAMES


@pytest.mark.notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning:(jupyter_client|zmq|nbclient).*")
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_shows_the_stored_kinds_of_outputs(name):
    missing = [package for package in NEEDS.get(name, ()) if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"it needs {', '.join(missing)}")
    notebook = run_notebook(ROOT / "notebooks" / f"{name}.py", small=True)
    text = printed(notebook)
    assert all(words in text for words in WORDS.get(name, ("",)))
    assert kinds_of_outputs(notebook) == kinds_of_outputs(stored(name))
