"""history.csv: how a training went, one line an epoch."""

import csv

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.text_files import read_text

__all__ = ["read_history"]

_EXPECTED = "the history of a training, numbers in columns"
_NEEDED = ("epoch", "loss", "val_loss")
# A hundred thousand epochs are 20 MB.
_MAX_BYTES = 2**26


def read_history(path):
    """Reads the history of a training.

    Args:
        path: The file: a line of names, among them epoch, loss and val_loss, then a line of numbers an epoch.

    Returns:
        Columns by their names, float arrays of one length; losses may be NaN.

    Raises:
        InputError: If the file cannot be read, a column is missing or has its name twice, a line has another number of
            columns, or something is no number.
    """
    try:
        names, *rows = csv.reader(read_text(path, _EXPECTED, _MAX_BYTES).splitlines(), strict=True)
    except csv.Error as error:
        raise InputError(f"{path}: expected {_EXPECTED}. Received: {error}.") from None
    missing = [name for name in _NEEDED if name not in names]
    if missing or len(set(names)) != len(names):
        raise InputError(
            f"{path}: expected {_EXPECTED}, each once, among them {', '.join(_NEEDED)}. Received: {', '.join(names)[:200]}."
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise InputError(
                f"{path}: expected {_EXPECTED}, {len(names)} in each line. Received: {len(row)} in line {number}."
            )
    try:
        values = np.array([[float(word) for word in row] for row in rows]).reshape(-1, len(names))
    except ValueError as error:
        raise InputError(f"{path}: expected {_EXPECTED}. Received: {error}.") from None
    return dict(zip(names, values.T, strict=True)) if rows else {}
