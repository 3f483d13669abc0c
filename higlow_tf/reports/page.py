"""A page that a person opens: one HTML file with its pictures inside."""

import base64
import io
import os
import struct
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from higlow_tf.errors import InputError
from higlow_tf.evaluation.rule import OFF, PASS
from higlow_tf.evaluation.verdict import VerdictRow
from higlow_tf.files import whole_path
from higlow_tf.reports.template import PAGE

__all__ = ["Page"]

_DOTS_PER_INCH = 160
_VERDICT_HEADERS = {"value": "value", "floor": "floor", "word": "verdict", "note": "how to read it"}
# A page with fewer sections needs no list of them.
_FEWEST_CONTENTS = 4


class Page:
    """Collects text, tables and figures in the order of the calls, and writes them as one HTML file.

    The file holds its pictures and needs no network, script or font. It is readable on a phone, in print, and in light
    and dark. All text is escaped: it is never read as HTML. A list of the sections stands on top.

    Args:
        title: Title of the page.
        subtitle: A line below it.

    Example:
        >>> page = Page("A run").section("Maps", "They look right.").html()
        >>> page.startswith("<!DOCTYPE html>")
        True
    """

    def __init__(self, title: str, subtitle: str = ""):
        self._title = title
        self._subtitle = subtitle
        self._alert = ""
        self._parts: list[str] = []
        self._sections: list[str] = []

    def alert(self, text: str) -> "Page":
        """Sets a sentence above everything else. It is for what nobody may overlook."""
        self._alert = f'<p class="alert" role="alert">{_text(text)}</p>'
        return self

    def section(self, title: str, text: str = "") -> "Page":
        """Adds a heading and paragraphs. The list of contents has the heading. A blank line in the text separates paragraphs."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="s{len(self._sections)}">{_text(title)}</h2>\n{_paragraphs(text)}')
        return self

    def heading(self, title: str, text: str = "") -> "Page":
        """Adds a smaller heading inside a section, and paragraphs."""
        self._parts.append(f"<h3>{_text(title)}</h3>\n{_paragraphs(text)}")
        return self

    def verdict(self, rows: Sequence[VerdictRow], text: str = "") -> "Page":
        """Adds what matters most: a paragraph, and its table, folded by the groups of the rows.

        Args:
            rows: `VerdictRow`s; those without a group stand in a table that is open.
            text: Paragraphs above the tables, separated by blank lines.
        """
        self._parts.append(_paragraphs(text))
        for group in dict.fromkeys(row.group for row in rows):
            table = _verdict_table([row for row in rows if row.group == group])
            self._parts.append(_folded(group, table, rows) if group else f'<div class="verdict">{table}</div>')
        return self

    def figure(
        self, figure: Figure, caption: str, alt: str, *, png_file: str | os.PathLike[str] | None = None
    ) -> "Page":
        """Adds a figure as a picture. It then empties the figure, which is not needed any more.

        Args:
            figure: A matplotlib figure.
            caption: Text below the picture.
            alt: What the picture shows, for those who do not see it.
            png_file: File for the same picture; None for no file.

        Raises:
            InputError: If there is no alternative text.
        """
        if not alt.strip():
            raise InputError(f"alt: expected a text that says what the picture shows. Received: {alt!r}.")
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=_DOTS_PER_INCH, facecolor="white")
        for panel in figure.axes:
            # `figure.clear` warns before matplotlib 3.11 where panels share a logarithmic axis.
            panel.remove()
        png = picture.getvalue()
        if png_file is not None:
            with whole_path(png_file) as part:
                part.write_bytes(png)
        # A PNG begins with 8 bytes of signature and 8 of its first chunk's head; then its size.
        width, height = struct.unpack(">II", png[16:24])
        data = base64.b64encode(png).decode("ascii")
        self._parts.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{_text(alt)}" width="{width}" height="{height}">'
            f"<figcaption>{_text(caption)}</figcaption></figure>"
        )
        return self

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> "Page":
        """Adds a table. Values that are not text are written with `str`.

        Raises:
            InputError: If the number of cells of a row is not the number of headers.
        """
        for row in rows:
            if len(row) != len(headers):
                raise InputError(f"rows: expected {len(headers)} cells a row. Received: {list(row)}.")
        head = "".join(f'<th scope="col">{_text(header)}</th>' for header in headers)
        lines = ["<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows]
        body = "\n".join(lines)
        self._parts.append(
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
        )
        return self

    def provenance(self, facts: Mapping[str, object]) -> "Page":
        """Adds a section that says where the numbers come from: data, split, seeds, versions."""
        lines = [f'<tr><th scope="row">{_text(name)}</th><td>{_text(fact)}</td></tr>' for name, fact in facts.items()]
        body = "\n".join(lines)
        self.section("Provenance")
        self._parts.append(f'<div class="scroll provenance"><table><tbody>\n{body}\n</tbody></table></div>')
        return self

    def html(self) -> str:
        """Returns the page."""
        subtitle = f'<p class="subtitle">{_text(self._subtitle)}</p>' if self._subtitle else ""
        body = "\n".join(part for part in (self._alert, subtitle, self._contents(), *self._parts) if part)
        return PAGE.format(title=_text(self._title), body=body)

    def _contents(self) -> str:
        if len(self._sections) < _FEWEST_CONTENTS:
            return ""
        links = [f'<a href="#s{number}">{_text(title)}</a>' for number, title in enumerate(self._sections, start=1)]
        return f'<nav aria-label="contents">{" ".join(links)}</nav>'

    def write(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Writes the page; it appears whole or not at all.

        Args:
            path: File to write; its folder is made if it is missing.
            overwrite: Whether an existing file may be replaced.

        Returns:
            The path.

        Raises:
            InputError: If the file exists and `overwrite` is false, or cannot be written.
        """
        with whole_path(path, overwrite) as part:
            part.write_text(self.html(), encoding="utf-8")
        return Path(path)


def _paragraphs(text: str) -> str:
    return "\n".join(f"<p>{_text(part.strip())}</p>" for part in text.split("\n\n") if part.strip())


def _verdict_table(rows: Sequence[VerdictRow]) -> str:
    used = [name for name in _VERDICT_HEADERS if any(getattr(row, name) for row in rows)]
    lines = []
    for row in rows:
        cells = "".join(f'<td class="{name}">{_word(row, name)}</td>' for name in used)
        lines.append(f'<tr><th scope="row">{_text(row.label)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{_VERDICT_HEADERS[name]}</th>' for name in used)
    body = "\n".join(lines)
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _folded(group: str, table: str, rows: Sequence[VerdictRow]) -> str:
    """A group of rows behind its name and how many of its checks pass; closed, so that the page stays short."""
    words = [row.word for row in rows if row.group == group and row.word in (PASS, OFF)]
    counts = "" if not words else f" <span>{words.count(PASS)} of {len(words)} pass</span>"
    has_off = ' class="off"' if OFF in words else ""
    return f'<details class="verdict"><summary{has_off}>{_text(group)}{counts}</summary>{table}</details>'


def _word(row: VerdictRow, name: str) -> str:
    """The text of a cell. Words that a reader looks for have their meaning as a class, too."""
    text = _text(getattr(row, name))
    return f'<strong class="{text.split()[0]}">{text}</strong>' if name == "word" and text else text


def _text(value: object) -> str:
    return escape(str(value), quote=True)
