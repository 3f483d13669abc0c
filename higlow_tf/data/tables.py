"""Tables of simulation parameters, as text files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from higlow_tf.data.parameters import CAMELS_PARAMETERS, nearest_name
from higlow_tf.errors import InputError

__all__ = ["ParameterTable", "read_parameter_table"]

# What the columns are where no header says so: the CAMELS tables, and the two of the papers.
_COLUMNS_WITHOUT_HEADER = {
    len(CAMELS_PARAMETERS): tuple(CAMELS_PARAMETERS),
    2: ("Omega_m", "sigma_8"),
}


@dataclass(frozen=True, eq=False)
class ParameterTable:
    """Named columns, one row a simulation.

    Args:
        path: The file that was read.
        names: Names of the columns.
        values: float64 `[R, K]`.
    """

    path: str
    names: tuple
    values: np.ndarray

    def column(self, name):
        """One column `[R]` by its name."""
        if name not in self.names:
            raise InputError(
                f"{self.path} has the columns {list(self.names)} (did you mean {nearest_name(name, self.names)!r}?). "
                f"Received: {name!r}."
            )
        return self.values[:, self.names.index(name)]

    def __len__(self):
        return len(self.values)


def read_parameter_table(path):
    """Reads a table of numbers separated by white space, with or without a header.

    Files:
        `params_{set}_{suite}.txt`, `params_{suite}.txt`, or any name: one row a simulation. A line of names before the
        numbers, with or without `#`, names the columns; other lines that start with `#` are comments. Without a header
        six columns are Omega_m, sigma_8, A_SN1, A_AGN1, A_SN2, A_AGN2 and two are Omega_m, sigma_8.

    Ordering:
        As in the file.

    Args:
        path: The file.

    Returns:
        `ParameterTable`.

    Raises:
        InputError: If the file is missing, empty or no text; a row has another length or something that is no finite
            number; the header does not fit the columns; or there is none and the columns are neither six nor two.

    References:
        [1] CAMELS Multifield Dataset, https://camels-multifield-dataset.readthedocs.io (MIT licence).
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} could not be read as a text table of parameters. Received: {error}.") from None
    headers, rows = [], []
    for number, line in enumerate(lines, start=1):
        words = line.split("#", 1)[0].split()
        if words and (rows or _is_number(words[0])):
            rows.append(_parse_row(words, number, path, len(rows[0]) if rows else None))
        elif not rows and line.strip(" \t#"):
            headers.append(line.strip().lstrip("#").split())
    if not rows:
        raise InputError(f"{path} must hold a table of numbers, one row a simulation. Received: no row.")
    return ParameterTable(str(path), _column_names(headers, len(rows[0]), path), np.array(rows))


def _is_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True


def _parse_row(words, number, path, expected):
    if expected is not None and len(words) != expected:
        raise InputError(f"{path} must have {expected} columns in every row. Received: {len(words)} in line {number}.")
    bad = [word for word in words if not (_is_number(word) and np.isfinite(float(word)))]
    if bad:
        raise InputError(f"{path} must hold finite numbers only. Received: {bad[0]!r} in line {number}.")
    return [float(word) for word in words]


def _column_names(headers, num_columns, path):
    """The header, if a line before the numbers is one: of the right length, or one that names known parameters."""
    named = [words for words in headers if CAMELS_PARAMETERS.keys() & set(words)]
    fitting = [words for words in headers if len(words) == num_columns]
    header = (named or fitting)[-1] if named or fitting else None
    if header is None:
        if num_columns not in _COLUMNS_WITHOUT_HEADER:
            raise InputError(
                f"{path} must have a header, or {' or '.join(map(str, _COLUMNS_WITHOUT_HEADER))} columns. "
                f"Received: {num_columns} columns without names."
            )
        return _COLUMNS_WITHOUT_HEADER[num_columns]
    if len(header) != num_columns or len(set(header)) != num_columns:
        raise InputError(f"{path} must name each of its {num_columns} columns once. Received: the header {header}.")
    return tuple(header)
