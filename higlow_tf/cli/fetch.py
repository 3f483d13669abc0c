"""higlow fetch: a published model from an address."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import progress_bar, say
from higlow_tf.cli.options import Overwrite
from higlow_tf.gallery import fetch_model

__all__ = ["fetch"]


def fetch(
    url: Annotated[str, typer.Argument(help="Address of the archive, NAME.tar.gz: https, http or file.")],
    sha256: Annotated[str, typer.Option(help="SHA-256 of the archive, 64 hexadecimal digits, as its publisher says.")],
    name: Annotated[str | None, typer.Option(help="Name for the model.", show_default="the one in the archive")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the model.", show_default="of HIGLOW_MODELS, or one of the user"),
    ] = None,
    max_mib: Annotated[int, typer.Option(min=1, help="Largest archive, and largest model, in MiB.")] = 512,
    overwrite: Overwrite = False,
):
    """Download a published model, compare its checksum, and keep it where every command finds it by its name.

    A model is a program: fetch only from those whom you trust. It appears whole or not at all.

    Example: higlow fetch https://example.org/compact_mock.tar.gz --sha256 SHA256
    """
    with progress_bar() as progress:
        folder = fetch_model(
            url, sha256=sha256, name=name, folder=out, overwrite=overwrite, max_bytes=max_mib * 2**20, progress=progress
        )
    say(f"Wrote {folder}")
    if out is None:
        say(f"Its name is {folder.name}: higlow sample {folder.name} --help")
