"""Docstrings of this package as reStructuredText: formulas stay as they are, and signs of mathematics are no markup."""

import re

__all__ = ["SECTIONS", "as_restructured_text", "setup"]

SECTIONS = (
    "Files", "Units", "Ordering", "Math", "Definition", "Convention", "Weights", "Input shape", "Output shape",
    "What it can and cannot show", "What it can and cannot do", "Checked against", "Empty bins", "Refusal",
)  # fmt: skip
"""Sections beside those of Google's style; a text may begin on the line of their name."""

# Code between backquotes, which is left alone.
_CODE = re.compile(r"(`+[^`]+`+)")
# What reStructuredText would take for markup: stars, bars, and names that end in an underscore.
_MARKUP = re.compile(r"[*|]|(?<=\w)_(?=\W|$)")
# Several spaces inside a line, not after the end of a sentence, align it with its neighbours.
_ALIGNED = re.compile(r"\S(?<![.:?!]) {2,}\S|^\S+: {2,}\S")
_OF_GOOGLE = ("Args", "Returns", "Raises", "Warns", "Yields", "Attributes", "References", "Example", "Call arguments")
_LABEL = re.compile(rf"({'|'.join((*SECTIONS, *_OF_GOOGLE))}):( |$)")
_FORMULAS = ("Definition", "Math")


def as_restructured_text(lines):
    """The lines of a docstring: what is aligned or a formula is literal, and a label like "Units: text" is bold."""
    found, section = [], None
    for paragraph in _paragraphs(lines):
        first = paragraph[0]
        label = _LABEL.match(first)
        if label is None:
            section = section if first.startswith(" ") or not first else None
            found += _part(paragraph, section)
        elif first == f"{label[1]}:":
            section = label[1]
            found += [first, *_part(paragraph[1:], section), ""]
        else:
            found += _labelled(label[1], first[label.end() :], paragraph[1:])
    return found


def _paragraphs(lines):
    """Runs of lines that are not empty, and the empty lines between them. A section ends where its indentation does."""
    paragraph = []
    for line in [*lines, ""]:
        is_over = not line.startswith(" ") and paragraph and (_LABEL.match(line) or _LABEL.match(paragraph[0]))
        if line.strip() and not is_over:
            paragraph.append(line)
            continue
        if paragraph:
            yield paragraph
        paragraph = [line] if line.strip() else []
        if not paragraph:
            yield [""]


def _labelled(label, text, below):
    """A paragraph "Units: text": the lines below go on with it, or are its formulas."""
    if label in _FORMULAS and any(" = " in line for line in below):
        return [f"**{label}:** {_escaped(text)}", "", "::", "", *below, ""]
    return [f"**{label}:** {_escaped(text)}", *(_escaped(line.strip()) for line in below), ""]


def _part(paragraph, section):
    """A paragraph as it is (examples), literal, a list (references), or with its markup escaped."""
    if not paragraph or not paragraph[0].strip() or paragraph[0].lstrip().startswith(">>>"):
        return paragraph
    indents = {len(line) - len(line.lstrip()) for line in paragraph}
    indent = " " * min(indents)
    is_formula = section in _FORMULAS and (len(indents) > 1 or any(" = " in line for line in paragraph))
    if is_formula or any(_ALIGNED.search(line.strip()) for line in paragraph):
        return [f"{indent}::", "", *("    " + line for line in paragraph)]
    if section == "References":
        return [
            indent + ("- " if line.lstrip().startswith("[") else "  ") + _escaped(line.strip()) for line in paragraph
        ]
    return [_escaped(line) for line in paragraph]


def _escaped(line):
    parts = [part if number % 2 else _MARKUP.sub(r"\\\g<0>", part) for number, part in enumerate(_CODE.split(line))]
    # Code ends at a space or a sign: "`Squeeze`s" needs a mark that is not shown.
    return "".join(parts[:1] + [("\\ " if part[:1].isalnum() else "") + part for part in parts[1:]])


def _process(app, what, name, obj, options, lines):
    lines[:] = as_restructured_text(lines)


def setup(app):
    """Puts this before napoleon, which reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True}
