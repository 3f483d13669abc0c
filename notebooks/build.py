"""Runs the notebooks and writes them with their outputs beside their sources.

python -m notebooks.build                          all of them, at full size
python -m notebooks.build 03_infer_cosmology       one
python -m notebooks.build --small --out FOLDER     at the sizes of the tests, elsewhere

A notebook is written as a Python file in jupytext's percent format. It runs in an empty folder in which `saved_models` lies.
Outputs are the text on stdout and pictures. Lines on stderr are left out, since libraries write there what they like.
"""

import argparse
import base64
import io
import os
import re
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

__all__ = ["MAX_BYTES", "ROOT", "SMALL_SIZES", "SOURCES", "kinds_of_outputs", "run_notebook", "tidy", "write_notebook"]

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
MAX_BYTES = 400_000
"""Largest file of a notebook, with its pictures: it must open at once in a browser."""
SMALL_SIZES = {
    "07_the_demo_in_python": """
mock = {"simulations": 80, "map_size": 16, "processes": 1}
training = {"preset": "tiny", "epochs": 6, "nuisance": "none", "settings": {"training.jit_compile": False}}
"""
}
"""Sizes of the tests for a notebook that has public names only: code that runs after its first code cell, and is not kept."""

_SECONDS_PER_CELL = 3600
_SMALL_VARIABLE = "HIGLOW_NOTEBOOK_SMALL"
_DOTS_PER_INCH = 72
_NUM_COLOURS = 128
_KINDS = ("image/png", "text/plain")
_NO_LONGER_TRUE_ELSEWHERE = ("execution", "scrolled")
_OF_A_LIBRARY = re.compile(r"^(?:INFO|WARNING):(?:tensorflow|absl):.*\n?", re.MULTILINE)


def run_notebook(source, *, small=False):
    """Runs a notebook from beginning to end.

    Args:
        source: Its Python file.
        small: Whether to run it at the sizes of the tests: those of `SMALL_SIZES`, or of a notebook that reads the variable
            HIGLOW_NOTEBOOK_SMALL.

    Returns:
        The notebook with its outputs, tidied.

    Raises:
        CellExecutionError: If a cell fails.
    """
    notebook = jupytext.read(source)
    first = next(number for number, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    sizes = SMALL_SIZES.get(Path(source).stem) if small else None
    if sizes:
        notebook.cells.insert(first + 1, nbformat.v4.new_code_cell(sizes))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "saved_models").symlink_to(ROOT / "saved_models")
        settings = Path(folder) / "matplotlibrc"
        settings.write_text(f"figure.dpi: {_DOTS_PER_INCH}\n")
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MATPLOTLIBRC": str(settings),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            _SMALL_VARIABLE: "1" if small else "",
        }
        client = NotebookClient(
            notebook,
            timeout=_SECONDS_PER_CELL,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        client.execute(env=environment)
        if sizes:
            del notebook.cells[first + 1]
        return tidy(notebook, {folder: ".", str(ROOT): ".", str(Path.home()): "~"})


def tidy(notebook, places=()):
    """Keeps of a notebook that has run what another machine shows, too; in place.

    Args:
        notebook: The notebook.
        places: Paths of this machine, and what to write in their place.

    Returns:
        The same notebook: cells numbered in their order, text of stdout joined, pictures with few colours.
    """
    notebook.metadata = nbformat.from_dict(
        {
            "jupytext": {"formats": "py:percent,ipynb"},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        }
    )
    count = 0
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        for name in _NO_LONGER_TRUE_ELSEWHERE:
            cell.metadata.pop(name, None)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = _tidied_outputs(cell.outputs, count, dict(places))
    return notebook


def _tidied_outputs(outputs, count, places):
    kept, printed = [], ""
    for output in outputs:
        if output.output_type == "stream":
            printed += _OF_A_LIBRARY.sub("", output.text) if output.name == "stdout" else ""
            continue
        data = {kind: output.data[kind] for kind in _KINDS if kind in output.get("data", {})}
        if "image/png" in data:
            data = {"image/png": _with_few_colours(data["image/png"])}
        elif output.output_type == "display_data" or not data:
            continue  # a widget, which nobody can move without a kernel
        else:
            data = {"text/plain": _elsewhere(data["text/plain"], places)}
        kept.append(nbformat.v4.new_output("display_data", data))
        if "text/plain" in data:
            kept[-1] = nbformat.v4.new_output("execute_result", data, execution_count=count)
    if printed.strip():
        kept.insert(0, nbformat.v4.new_output("stream", name="stdout", text=_elsewhere(printed, places)))
    return kept


def _elsewhere(text, places):
    for here, name in sorted(places.items(), key=lambda place: -len(place[0])):
        text = text.replace(here, name)
    return text


def _with_few_colours(png):
    """A PNG, base64, with a palette: a third of the size. Rare colours, as in a colour bar, keep their place in it."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    file = io.BytesIO()
    few = picture.quantize(_NUM_COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=4, dither=Image.Dither.NONE)
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def kinds_of_outputs(notebook):
    """What each code cell shows: a sorted tuple of "stream", "image/png" and "text/plain", each once."""
    return [
        tuple(sorted({kind for output in cell.outputs for kind in output.get("data", {output.output_type: ""})}))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def write_notebook(notebook, path):
    """Writes a notebook; `ValueError` if it is larger than `MAX_BYTES`."""
    text = nbformat.writes(notebook, version=4) + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"{path}: expected at most {MAX_BYTES} bytes. Received: {len(text.encode())}.")
    Path(path).write_text(text, encoding="utf-8")


def main():
    """Builds the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 03_infer_cosmology; all if none is named")
    parser.add_argument("--small", action="store_true", help="the sizes of the tests")
    parser.add_argument("--out", type=Path, default=ROOT / "notebooks", help="folder of the .ipynb")
    arguments = parser.parse_args()
    known = {source.stem: source for source in SOURCES}
    unknown = set(arguments.names) - set(known)
    if unknown:
        parser.error(f"expected names among {', '.join(known)}; received {', '.join(sorted(unknown))}")
    for name in arguments.names or known:
        print(f"{name} ...", flush=True)
        write_notebook(run_notebook(known[name], small=arguments.small), arguments.out / f"{name}.ipynb")


if __name__ == "__main__":
    main()
