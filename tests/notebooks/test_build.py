"""What is kept of a notebook that has run."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed (pip install '.[notebooks]')")
for _name in ("jupytext", "nbclient"):
    pytest.importorskip(_name, reason=f"{_name} is not installed (pip install '.[notebooks]')")

from notebooks.build import MAX_BYTES, kinds_of_outputs, tidy, write_notebook  # noqa: E402 - it needs the extra

# Of 255. Measured: 6; a palette that serves the common colours alone is 170 off.
_LARGEST_ERROR = 16


def png(side=40):
    """A picture of more colours than a palette has."""
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def shown(kind="display_data", **data):
    return nbformat.v4.new_output(kind, {key.replace("_", "/"): value for key, value in data.items()})


def ran(*outputs):
    """A notebook of a text and a code cell that has these outputs."""
    cell = nbformat.v4.new_code_cell("1", outputs=list(outputs), execution_count=17)
    cell.metadata = nbformat.from_dict({"execution": {"iopub.status.busy": "2026-01-01T00:00:00"}, "tags": ["kept"]})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("words"), cell])


def test_text_is_joined_without_stderr_and_without_paths_of_the_machine():
    outputs = [stream("INFO:tensorflow:Assets\nin /a/b/c"), stream("noise", "stderr"), stream(" and /a/x")]
    notebook = tidy(ran(*outputs), {"/a": "A", "/a/b": "B"})
    (output,) = notebook.cells[1].outputs
    assert (output.output_type, output.name, output.text) == ("stream", "stdout", "in B/c and A/x")


def test_a_picture_stays_one_and_takes_less():
    before = png()
    notebook = tidy(ran(shown("execute_result", image_png=before, text_plain="<Figure>")))
    (output,) = notebook.cells[1].outputs
    assert list(output.data) == ["image/png"]
    after = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    assert after.size == (40, 40)
    assert len(after.getcolors()) <= 128
    assert len(output.data["image/png"]) < 0.7 * len(before)


def test_a_narrow_colour_bar_keeps_its_colours():
    """Most of a picture of maps is dark; the bar beside them has each colour once, up to a yellow that no map may have."""
    steps = np.arange(256)
    bar = np.stack([steps, steps, 255 - steps], axis=-1).astype(np.uint8)
    pixels = np.random.default_rng(0).integers(0, 60, (256, 256, 3), dtype=np.uint8)
    pixels[:, -3:] = bar[:, None]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    notebook = tidy(ran(shown(image_png=base64.b64encode(file.getvalue()).decode())))
    (output,) = notebook.cells[1].outputs
    after = np.asarray(Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB"))
    assert np.abs(after[:, -2].astype(int) - bar).max() <= _LARGEST_ERROR


def test_a_value_stays_and_a_widget_goes():
    widget = nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "w"})
    notebook = tidy(ran(widget, shown("execute_result", text_plain="(4, 64)")))
    assert kinds_of_outputs(notebook) == [("text/plain",)]
    assert notebook.cells[1].outputs[0].execution_count == 1


def test_cells_are_numbered_and_nothing_of_the_run_is_left():
    notebook = tidy(ran())
    assert [cell.id for cell in notebook.cells] == ["cell-0", "cell-1"]
    assert notebook.cells[1].execution_count == 1
    assert notebook.cells[1].metadata == {"tags": ["kept"]}
    assert "version" not in notebook.metadata.language_info
    nbformat.validate(notebook)


def test_kinds_are_told_cell_by_cell():
    notebook = ran(stream("a"), shown(image_png=png()), shown(image_png=png()))
    notebook.cells.append(nbformat.v4.new_code_cell("2"))
    assert kinds_of_outputs(tidy(notebook)) == [("image/png", "stream"), ()]


def test_a_notebook_that_is_too_large_is_not_written(tmp_path):
    path = tmp_path / "n.ipynb"
    write_notebook(tidy(ran(stream("x" * 1000))), path)
    assert nbformat.read(path, as_version=4).cells[1].outputs[0].text == "x" * 1000
    with pytest.raises(ValueError, match=f"expected at most {MAX_BYTES} bytes"):
        write_notebook(tidy(ran(stream("x" * MAX_BYTES))), tmp_path / "large.ipynb")
    assert not (tmp_path / "large.ipynb").exists()
