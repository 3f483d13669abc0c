"""Tables of simulation parameters, as text files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from higlow_tf.data.parameters import CAMELS_PARAMETERS, nearest_name
from higlow_tf.errors import InputError

__all__ = ["MissingColumnError", "ParameterTable", "names_without_header", "read_parameter_table", "registry_name"]

# The columns if no header names them: those of the CAMELS tables, and the two of the papers.
_COLUMNS_WITHOUT_HEADER = {
    len(CAMELS_PARAMETERS): tuple(CAMELS_PARAMETERS),
    2: ("Omega_m", "sigma_8"),
}
# Other names of parameters of the registry, in lower case without underscores: those of the tables of CAMELS, and short
# ones that circulate. S8 is not among them: it is another number than sigma_8.
_OTHER_NAMES = {
    "om": "Omega_m",
    "om0": "Omega_m",
    "omega0": "Omega_m",
    **{name.lower().replace("_", ""): name for name in CAMELS_PARAMETERS},
    **{name.lower().removeprefix("a_"): name for name in CAMELS_PARAMETERS if name.startswith("A_")},
}
# Columns that are numbers of a simulation but no parameters of a model.
_NO_PARAMETERS = ("seed",)


class MissingColumnError(InputError):
    """A table lacks a column that was asked for.

    Attributes:
        column: Its name.
    """

    def __init__(self, message, column):
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, eq=False)
class ParameterTable:
    """Named columns, one row a simulation.

    Args:
        path: The file that was read.
        names: Names of the columns.
        values: float64 `[R, K]`.
        labels: The name of each simulation ("LH_0"), if the file has these names.
    """

    path: str
    names: tuple
    values: np.ndarray
    labels: tuple = ()

    def column(self, name):
        """One column `[R]` by its name."""
        if name not in self.names:
            raise MissingColumnError(
                f"{self.path} has the columns {list(self.names)} (did you mean {nearest_name(name, self.names)!r}?). "
                f"Received: {name!r}.",
                name,
            )
        return self.values[:, self.names.index(name)]

    def columns(self, names):
        """Several columns `[R, P]`, in the order of their names."""
        return np.stack([self.column(name) for name in names], axis=1)

    @property
    def parameter_names(self):
        """The columns that can be a condition: all except the seed."""
        return tuple(name for name in self.names if name not in _NO_PARAMETERS)

    def __len__(self):
        return len(self.values)


def read_parameter_table(path):
    """Reads a table of numbers separated by white space or commas, with or without a header or names of the rows.

    Files:
        `params_{set}_{suite}.txt`, `params_{suite}.txt`, the raw `CosmoAstroSeed_{suite}_L25n256_{set}.txt` (name,
        parameters, seed), `CAMELs_params.csv` of the published HIGlow code, or any name: one row a simulation. A line of
        names before the numbers, with or without `#`, names the columns; other lines that start with `#` are comments.
        Six columns without names are Omega_m, sigma_8, A_SN1, A_AGN1, A_SN2, A_AGN2 and two are Omega_m, sigma_8.
        Om, Om0 and Omega0 are read as Omega_m, SN1 and ASN1 as A_SN1 and so on, in capitals or not, with underscores or
        without; two columns that then have one name are refused.

    Ordering:
        As in the file.

    Args:
        path: The file.

    Returns:
        `ParameterTable`.

    Raises:
        InputError: If the file is missing, empty or no text; if a row has another length or something that is no finite
            number; if the header does not fit the columns; or if there is no header, and not six or two columns.

    References:
        [1] CAMELS Multifield Dataset, https://camels-multifield-dataset.readthedocs.io (MIT licence).
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} could not be read as a text table of parameters. Received: {error}.") from None
    headers, labels, rows = [], [], []
    for number, line in enumerate(lines, start=1):
        words = _words(line.split("#", 1)[0])
        if words and (rows or _is_row(words)):
            if not _is_number(words[0]) and (labels or not rows):
                labels.append(words.pop(0))
            rows.append(_parse_row(words, number, path, len(rows[0]) if rows else None))
        elif not rows and line.strip(" \t#"):
            headers.append(_words(line.strip().lstrip("#")))
    if not rows:
        raise InputError(f"{path} must hold a table of numbers, one row a simulation. Received: no row.")
    if labels and len(labels) != len(rows):
        raise InputError(f"{path} must name every row or none. Received: {len(labels)} names of {len(rows)} rows.")
    if labels:
        headers = [words[1:] for words in headers]
    return ParameterTable(str(path), _column_names(headers, len(rows[0]), path), np.array(rows), tuple(labels))


def registry_name(word):
    """The parameter of the CAMELS registry that a column's name means, or the name itself."""
    return _OTHER_NAMES.get(word.lower().replace("_", ""), word)


def _words(line):
    return [word.strip() for word in line.split(",")] if "," in line else line.split()


def _is_row(words):
    """Whether these are numbers, or a name and numbers."""
    return _is_number(words[0]) or (len(words) > 1 and all(map(_is_number, words[1:])))


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
    """The header, if a line before the numbers is one: it has the right length, or it names known parameters."""
    headers = [[registry_name(word) for word in words] for words in headers]
    named = [words for words in headers if CAMELS_PARAMETERS.keys() & set(words)]
    fitting = [words for words in headers if len(words) == num_columns]
    # A comment may speak of parameters, too: a line of names that fits goes before it.
    candidates = [words for words in named if len(words) == num_columns] or named or fitting
    header = candidates[-1] if candidates else [""] * num_columns
    header = names_without_header(header, path)
    if len(header) != num_columns or len(set(header)) != num_columns:
        raise InputError(
            f"{path} must name each of its {num_columns} columns once. Received: the header {header}, as read."
        )
    return tuple(header)


def names_without_header(names, path):
    """Fills in the empty names among the names of columns.

    Raises:
        InputError: If there are empty names, and not six or two columns.
    """
    num_nameless = list(names).count("")
    if not num_nameless:
        return list(names)
    if num_nameless not in _COLUMNS_WITHOUT_HEADER:
        raise InputError(
            f"{path} must have a header, or {' or '.join(map(str, _COLUMNS_WITHOUT_HEADER))} columns. "
            f"Received: {num_nameless} columns without names."
        )
    found = iter(_COLUMNS_WITHOUT_HEADER[num_nameless])
    return [name or next(found) for name in names]
