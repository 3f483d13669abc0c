"""Blocks of commands: a long command goes on in the next line, further right, and is not broken inside an option."""

from docutils import nodes
from pygments.lexer import RegexLexer
from pygments.token import Comment, Name, Text

__all__ = ["PROGRAMS", "CommandLexer", "setup"]

PROGRAMS = (
    "cp", "curl", "docker", "export", "git", "higlow", "make", "pip", "python", "python3.12", "ray", "sbatch",
)  # fmt: skip
"""First words of an indented block by which it is one of commands. Other blocks without a language are formulas."""

_LANGUAGE = "commands"


class CommandLexer(RegexLexer):
    """Tells options and comments from the rest of a command."""

    name = _LANGUAGE
    aliases = (_LANGUAGE,)
    tokens = {  # noqa: RUF012 - as Pygments has it
        "root": [
            (r"(?<!\S)#.*", Comment.Single),
            (r"(?<!\S)--?[A-Za-z][\w-]*", Name.Attribute),
            (r"\S+|\s", Text),
        ]
    }


def _mark(app, tree):
    blocks = [block for block in tree.findall(nodes.literal_block) if block.get("language") == "none"]
    for number, block in enumerate(blocks):
        first = (block.astext().split() or [""])[0]
        if first == "import":
            block["language"] = "python"
        elif first in PROGRAMS:
            block["language"] = _LANGUAGE
            # Each line becomes an element, which the style sheet can indent.
            block["highlight_args"] = {"linespans": f"block-{number}"}


def setup(app):
    """Marks the blocks when a page has been read."""
    app.add_lexer(_LANGUAGE, CommandLexer)
    app.connect("doctree-read", _mark)
    return {"parallel_read_safe": True}
