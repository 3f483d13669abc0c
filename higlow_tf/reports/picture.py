"""A figure of a page, with its words."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.backend_bases import FigureCanvasBase

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path

__all__ = ["Picture", "add_pictures", "check_picture_name", "save_picture"]

_DOTS_PER_INCH = 160


@dataclass(frozen=True)
class Picture:
    """A figure of a page.

    Attributes:
        name: Stem of its file.
        title: Heading above it.
        figure: The matplotlib figure.
        caption: Text below it.
        alt: What it shows, for those who do not see it.
    """

    name: str
    title: str
    figure: Any
    caption: str
    alt: str


def add_pictures(page, section, pictures, folder=None):
    """Adds a section of pictures to a page, and writes each as PNG and PDF into a folder unless that is None.

    Args:
        page: `Page`.
        section: Heading of the section; None to continue in the last one. A picture with the same title needs no heading.
        pictures: `Picture`s. Without any there is no section.
        folder: Folder for the files.
    """
    if pictures and section is not None:
        page.section(section)
    for picture in pictures:
        if picture.title != section:
            page.heading(picture.title)
        png_file = None
        if folder is not None:
            png_file = Path(folder) / f"{picture.name}.png"
            save_picture(picture.figure, png_file.with_suffix(".pdf"), overwrite=True)
        page.figure(picture.figure, picture.caption, picture.alt, png_file=png_file)


def check_picture_name(path):
    """Refuses a file name whose suffix is not that of a picture, with an `InputError`."""
    if Path(path).suffix.lower().removeprefix(".") not in FigureCanvasBase.get_supported_filetypes():
        raise InputError(f"{path}: expected the name of a picture: .png, .pdf or .svg. Received: {Path(path).name!r}.")


def save_picture(figure, path, overwrite=False):
    """Writes a figure as a file, whole or not at all; its suffix says the format."""
    # Drawn in memory: where a disk is full, what writes PDF loses the operating system's error.
    content = io.BytesIO()
    figure.savefig(content, format=Path(path).suffix[1:], dpi=_DOTS_PER_INCH, facecolor="white")
    with whole_path(path, overwrite) as part:
        part.write_bytes(content.getvalue())
