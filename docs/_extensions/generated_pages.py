"""Pages that are made from the code: the commands, the reference of every room, the notebooks, the drawing of the model."""

import shutil
import subprocess
import sys
from pathlib import Path

import higlow_tf

__all__ = ["setup"]

_DOCS = Path(__file__).parents[1]
_GENERATED = _DOCS / "generated"
_MODULES = ("data.lognormal", "data.mock")


def _write(app):
    shutil.rmtree(_GENERATED, ignore_errors=True)
    (_GENERATED / "api").mkdir(parents=True)
    (_GENERATED / "commands.md").write_text(_commands(), encoding="utf-8")
    rooms = [name for name in higlow_tf.__all__ if hasattr(getattr(higlow_tf, name), "__path__")]
    for module in sorted((*rooms, *_MODULES)):
        (_GENERATED / "api" / f"{module}.md").write_text(_reference(module), encoding="utf-8")
    for notebook in sorted((_DOCS.parent / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, _GENERATED)


def _commands():
    """Typer's own documentation of the program."""
    call = [sys.executable, "-m", "typer", "higlow_tf.cli.app", "utils", "docs", "--name", "higlow"]
    text = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    return text.replace("# `higlow`", "# Commands", 1)


def _reference(module):
    return f"# {module}\n\n```{{eval-rst}}\n.. automodule:: higlow_tf.{module}\n```\n"


def setup(app):
    """Writes the pages before Sphinx looks for its sources."""
    app.connect("config-inited", lambda app, config: _write(app))
    return {"parallel_read_safe": True}
