"""The pages of the documentation as they are written: their links, headings, commands and code."""

import re
import shlex
from pathlib import Path

__all__ = ["DOCS", "PAGES", "ROOT", "anchors", "commands", "links", "steps"]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for pattern in ("README.md", "docs/**/*.md", "saved_models/**/*.md", "notebooks/*.md")
    for page in ROOT.glob(pattern)
    if "generated" not in page.parts and "_build" not in page.parts
)
# Pages that are made when the site is built, and the file or the room that each is made from.
_MADE_FROM = {
    "generated/saved_models.md": "saved_models/README.md",
    "generated/changelog.md": "CHANGELOG.md",
    "generated/commands.md": "higlow_tf/cli/app.py",
    "generated/architecture.svg": "docs/_extensions/architecture.py",
}
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^```$|^ {4,}(?P<line>\S[^\n]*)$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page):
    """The pairs (file, anchor or "") that the links of a page to files of the repository lead to."""
    found = []
    for target in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if not re.match(r"\w+:", target):
            path, _, anchor = target.partition("#")
            found.append((_source((page.parent / path).resolve() if path else page), anchor))
    return found


def _source(path):
    """The file that a page is made from, or the page."""
    if not path.is_relative_to(DOCS / "generated"):
        return path
    name = path.relative_to(DOCS).as_posix()
    if path.suffix == ".ipynb":
        return ROOT / "notebooks" / path.name
    if name.startswith("generated/api/"):
        return ROOT / "higlow_tf" / path.stem.replace(".", "/") / "__init__.py"
    return ROOT / _MADE_FROM[name]


def anchors(page):
    """What a link into a page may name: its headings, in small letters, with hyphens."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def steps(page):
    """What one does on a page, in its order: pairs ("python", block), and ("shell", line) for indented lines."""
    found = []
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["line"] is not None:
            found.append(("shell", block["line"]))
        elif block["kind"] == "python":
            found.append(("python", block["body"]))
    return found


def commands(page):
    """The calls of `higlow` on a page as lists of words without the name of the program: whole lines, and those in a text."""
    lines = [line for kind, line in steps(page) if kind == "shell" and line.startswith("higlow ")]
    inline = re.findall(r"`(higlow [a-z][^`]*)`", _FENCE.sub("", page.read_text(encoding="utf-8")))
    return [shlex.split(line, comments=True)[1:] for line in lines], [shlex.split(line)[1:] for line in inline]
