"""The notebook that builds a flow on fields of known density, at its small settings: its cells, run as they stand."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "05_build_your_own_flow.py"
NUM_PICTURES = 7

pytestmark = [
    pytest.mark.notebook,
    pytest.mark.filterwarnings("ignore::higlow_tf.errors.InputWarning"),  # few draws of a flow of two epochs
]


def cells():
    """The code cells without the commands of the notebook."""
    parts = NOTEBOOK.read_text().split("# %%")[1:]
    return [re.sub(r"^# %.*$", "", part, flags=re.MULTILINE) for part in parts if not part.startswith(" [markdown]")]


def run(cell, names):
    """Runs a cell and returns the value of its last line, if that is an expression."""
    tree = ast.parse(cell)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NOTEBOOK.name, "exec"), names)
    return None if last is None else eval(compile(last, NOTEBOOK.name, "eval"), names)


def test_its_cells_run_and_say_what_the_page_says(monkeypatch, capsys):
    monkeypatch.setenv("HIGLOW_NOTEBOOK_SMALL", "1")
    names = {}
    values = [run(cell, names) for cell in cells()]
    assert sum(isinstance(value, Figure) for value in values) == NUM_PICTURES
    assert names["is_small"]
    text = capsys.readouterr().out
    assert "caught: forward log-det against autodiff" in text
    assert np.abs(names["by_bijectors"] - exact_of(names)).max() < 1e-9
    assert np.isfinite(names["gap"](names["own"])).all()
    assert set(names["results"]) == {"exact", "Glow", "your own"}


def exact_of(names):
    """The exact density of three fields drawn by bijectors."""
    fields = names["gaussian_field"].sample(3, seed=(0, 0))[..., 0].numpy()
    return names["exact_log_prob"](fields, np.repeat(names["point"], 3, axis=0))
