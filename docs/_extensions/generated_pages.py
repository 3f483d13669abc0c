"""Pages that are made from the code: the commands, the reference of every room, the notebooks, the drawing of the model."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from architecture import draw_architecture
from typer.main import get_command

import higlow_tf
from higlow_tf.cli.app import app
from higlow_tf.cli.console import load_tensorflow

__all__ = ["setup"]

_DOCS = Path(__file__).parents[1]
_ROOT = _DOCS.parent
_GENERATED = _DOCS / "generated"
_MODULES = ("data.lognormal", "data.mock")
# Pages of the repository that lie elsewhere, and what stands for files of it that are no page.
_ELSEWHERE = {"saved_models/README.md": "generated/saved_models.md", "CHANGELOG.md": "generated/changelog.md"}
_STAND_INS = {"notebooks/README.md": "tutorials.md"}
_EXAMPLE = re.compile(r"^([A-Z][^:\n]*:) (higlow .*)$", re.MULTILINE)
_CODE = re.compile(r"(^    .*$|^\$ .*$|`[^`\n]*`)", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
_MAX_SENTENCE = 300
_LINK = re.compile(r"\]\(([^)#:]+\.md)(?=[)#])")


def _write():
    load_tensorflow()  # without the lines that its libraries write, which are no warnings of the site
    shutil.rmtree(_GENERATED, ignore_errors=True)
    (_GENERATED / "api").mkdir(parents=True)
    (_GENERATED / "commands.md").write_text(_commands(), encoding="utf-8")
    rooms = [name for name in higlow_tf.__all__ if hasattr(getattr(higlow_tf, name), "__path__")]
    for module in sorted((*rooms, *_MODULES)):
        (_GENERATED / "api" / f"{module}.md").write_text(_reference(module), encoding="utf-8")
    for source, page in _ELSEWHERE.items():
        text = (_ROOT / source).read_text(encoding="utf-8")
        (_DOCS / page).write_text(_with_links_of_the_site(text, _ROOT / source, _DOCS / page), encoding="utf-8")
    draw_architecture(higlow_tf.ConditionalGlow.from_preset("compact")).savefig(_GENERATED / "architecture.svg")
    for notebook in sorted((_ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(notebook, _GENERATED)


def _commands():
    """Typer's own documentation of the program: with whole sentences in its list, and the examples as code."""
    call = [sys.executable, "-m", "typer", "higlow_tf.cli.app", "utils", "docs", "--name", "higlow"]
    text = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    for name, command in get_command(app).commands.items():
        line = f"* `{name}`: {command.get_short_help_str(limit=_MAX_SENTENCE)}"
        text = re.sub(rf"^\* `{name}`: .*$", lambda _, line=line: line, text, count=1, flags=re.MULTILINE)
    text = _EXAMPLE.sub(r"\1\n\n    \2", text)
    # The site makes a dash of two hyphens, except in code.
    parts = _CODE.split(text)
    text = "".join(part if number % 2 else _OPTION.sub(r"`\g<0>`", part) for number, part in enumerate(parts))
    return text.replace("# `higlow`", "# Commands", 1)


def _reference(module):
    return f"# {module}\n\n```{{eval-rst}}\n.. automodule:: higlow_tf.{module}\n```\n"


def _with_links_of_the_site(text, source, page):
    """A text whose links to files of the repository lead to pages of the site, from another page than the file that it was in."""

    def moved(link):
        path = os.path.relpath(source.parent / link[1], _ROOT)
        target = (_ELSEWHERE | _STAND_INS).get(path, os.path.relpath(_ROOT / path, _DOCS))
        return f"]({os.path.relpath(_DOCS / target, page.parent)}"

    return _LINK.sub(moved, text)


def _read(app, name, content):
    page = Path(app.env.doc2path(name))
    if page.suffix == ".md" and _GENERATED not in page.parents:
        content[0] = _with_links_of_the_site(content[0], page, page)


def setup(app):
    """Writes the pages before Sphinx looks for its sources."""
    app.connect("config-inited", lambda app, config: _write())
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
