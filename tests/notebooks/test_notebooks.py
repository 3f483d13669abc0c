"""The notebooks run from beginning to end, and say the same as the Python files that they are made from."""

from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed (pip install '.[notebooks]')")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (pip install '.[notebooks]')")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (pip install '.[notebooks]')")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SECONDS_PER_CELL = 600
# Pictures are on nobody's path; the checkout must stay small.
MAX_BYTES = 100_000


def sources(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def texts(notebook):
    """All that the code cells printed on stdout."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs if output.get("name") == "stdout")


def test_the_first_notebook_is_there():
    assert "01_first_maps.ipynb" in [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_what_its_python_file_says_and_has_no_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    assert sources(notebook) == sources(jupytext.read(path.with_suffix(".py")))
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert path.stat().st_size < MAX_BYTES


@pytest.mark.notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning:(jupyter_client|zmq|nbclient).*")
def test_first_maps_runs(monkeypatch):
    path = next(path for path in NOTEBOOKS if path.stem == "01_first_maps")
    root = str(path.parents[1])
    monkeypatch.setenv("PYTHONPATH", root)
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=SECONDS_PER_CELL, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    text = texts(notebook)
    assert "drawn      Omega_m" in text
    assert "truths inside 68 % regions: 0." in text
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", ()) if "image/png" in out.get("data", {})]
    assert len(pictures) >= 2
