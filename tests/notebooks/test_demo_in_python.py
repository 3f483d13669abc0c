"""The notebook that does all of the demo with public names, at the smallest size: its cells, run as they stand."""

import ast
from pathlib import Path

import pytest
from uncompiled import no_compilation

import higlow_tf as hg

__all__ = ["no_compilation"]

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "07_the_demo_in_python.py"
FEW = {
    "mock": {"simulations": 40, "map_size": 16},
    "training": {"preset": "tiny", "epochs": 1, "nuisance": "none"},
    "of_posteriors": hg.evaluation.CalibrationOptions(maps_per_simulation=1, points_per_axis=8, num_symmetries=1),
}


def cells():
    """The code cells: the text between markers, without those in words."""
    parts = NOTEBOOK.read_text().split("# %%")[1:]
    return [part for part in parts if not part.startswith(" [markdown]")]


def test_it_is_short_and_uses_public_names_only():
    code = "\n".join(cells())
    tree = ast.parse(code)
    assert len(tree.body) <= 20
    imported = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert imported == ["from pathlib import Path", "import higlow_tf as hg"]
    assert not any(node.attr.startswith("_") for node in ast.walk(tree) if isinstance(node, ast.Attribute))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:power_response. no error bar:higlow_tf.errors.InputWarning")  # 8 test simulations
def test_its_cells_run_from_maps_to_a_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, cell in enumerate(cells()):
        exec(compile(cell, f"{NOTEBOOK.name}, cell {number}", "exec"), names)
        if number == 0:
            names |= FEW
    out = tmp_path / "demo_in_python"
    page = (out / "report.html").read_text()
    assert (
        page.index(">Simulated and generated maps</h2>") < page.index(">Posteriors</h2>") < page.index(">Verdict</h2>")
    )
    assert (out / "saved_model" / "1" / "saved_model.pb").is_file()
    assert (out / "samples.npy").is_file()
    assert hg.runs.open_run(out / "run").model.calibration == names["fit"].calibration.to_config()
    text = capsys.readouterr().out
    assert "checks pass" in text
    assert str(names["judgement"].sets[""].verdict) in text
