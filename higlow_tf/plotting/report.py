"""A report that a person opens: one HTML file with its pictures inside."""

import base64
import io
import os
import struct
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path
from higlow_tf.plotting.report_page import PAGE

__all__ = ["Report"]

_DOTS_PER_INCH = 160


class Report:
    """Collects text, tables and figures in the order of the calls, and writes them as one HTML file.

    The file holds its pictures and needs no network, script or font. It is readable on a phone, in print, and in light
    and dark. All text is escaped: it is never read as HTML.

    Args:
        title: Title of the page.
        subtitle: A line below it.

    Example:
        >>> page = Report("A run").section("Maps", "They look right.").html()
        >>> page.startswith("<!DOCTYPE html>")
        True
    """

    def __init__(self, title: str, subtitle: str = ""):
        self._title = title
        self._subtitle = subtitle
        self._verdict = ""
        self._parts: list[str] = []

    def verdict(self, rows: Sequence[tuple[str, str, str]]) -> "Report":
        """Sets the table on top of the page: label, value, and a note that says how to read it."""
        lines = [
            f'<tr><th scope="row">{_text(label)}</th><td>{_text(value)}</td><td>{_text(note)}</td></tr>'
            for label, value, note in rows
        ]
        self._verdict = '<div class="verdict"><table><tbody>\n' + "\n".join(lines) + "\n</tbody></table></div>"
        return self

    def section(self, title: str, text: str = "") -> "Report":
        """Adds a heading and paragraphs; a blank line in the text parts paragraphs."""
        paragraphs = [f"<p>{_text(part.strip())}</p>" for part in text.split("\n\n") if part.strip()]
        self._parts.append("\n".join([f"<h2>{_text(title)}</h2>", *paragraphs]))
        return self

    def figure(self, figure: Figure, caption: str, alt: str) -> "Report":
        """Adds a figure as a picture, and empties the figure, which is not needed any more.

        Args:
            figure: A matplotlib figure.
            caption: Text below the picture.
            alt: What the picture shows, for those who do not see it.

        Raises:
            InputError: If there is no alternative text.
        """
        if not alt.strip():
            raise InputError(f"alt: expected a text that says what the picture shows. Received: {alt!r}.")
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=_DOTS_PER_INCH, facecolor="white")
        figure.clear()
        png = picture.getvalue()
        # A PNG begins with 8 bytes of signature and 8 of its first chunk's head; then its size.
        width, height = struct.unpack(">II", png[16:24])
        data = base64.b64encode(png).decode("ascii")
        self._parts.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{_text(alt)}" width="{width}" height="{height}">'
            f"<figcaption>{_text(caption)}</figcaption></figure>"
        )
        return self

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> "Report":
        """Adds a table; what is not text is written as `str` does.

        Raises:
            InputError: If a row has another number of cells than there are headers.
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

    def provenance(self, facts: Mapping[str, object]) -> "Report":
        """Adds a section that says where the numbers come from: data, split, seeds, versions."""
        lines = [f'<tr><th scope="row">{_text(name)}</th><td>{_text(fact)}</td></tr>' for name, fact in facts.items()]
        self._parts.append(
            '<h2>Provenance</h2>\n<div class="scroll provenance"><table><tbody>\n'
            + "\n".join(lines)
            + "\n</tbody></table></div>"
        )
        return self

    def html(self) -> str:
        """Returns the page."""
        subtitle = f'<p class="subtitle">{_text(self._subtitle)}</p>' if self._subtitle else ""
        body = "\n".join(part for part in (subtitle, self._verdict, *self._parts) if part)
        return PAGE.format(title=_text(self._title), body=body)

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


def _text(value: object) -> str:
    return escape(str(value), quote=True)
