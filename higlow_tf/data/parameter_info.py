"""Priors of the parameters that CAMELS varies, as it publishes them."""

import csv
from pathlib import Path

from higlow_tf.data.parameters import CAMELS_PARAMETERS, ParameterSpec
from higlow_tf.data.tables import registry_name
from higlow_tf.errors import InputError

__all__ = ["read_parameter_info"]

_COLUMNS = ("ParamName", "LogFlag", "MinVal", "MaxVal")
_TRANSFORMS = {"0": "linear", "1": "log"}


def read_parameter_info(path):
    """Reads which parameters a set varies, and the edges of each.

    Files:
        `Info_{suite}_L25n256_{P}params.txt` of CAMELS: separated by commas, one row a parameter, with the columns ParamName,
        LogFlag (1: log-uniform), MinVal, MaxVal. Other columns are not read.

    Ordering:
        As in the file. Parameters of the CAMELS registry (Omega0 is Omega_m) keep their labels.

    Args:
        path: The file.

    Returns:
        Tuple of `ParameterSpec`.

    Raises:
        InputError: If the file is missing, if it has no such columns or no row, or if a value is no edge of a prior.
    """
    path = Path(path)
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} could not be read as a list of parameters. Received: {error}.") from None
    if not rows or not set(_COLUMNS) <= set(rows[0]):
        found = ", ".join(str(name) for name in rows[0]) if rows else "no row"
        raise InputError(f"{path} must have rows with the columns {', '.join(_COLUMNS)}. Received: {found}.")
    return tuple(_spec(row, path) for row in rows)


def _spec(row, path):
    name = registry_name(row["ParamName"] or "")
    label = {"label": CAMELS_PARAMETERS[name].label} if name in CAMELS_PARAMETERS else {}
    if row["LogFlag"] not in _TRANSFORMS:
        raise InputError(f"{path} must have a LogFlag of 0 or 1 for {name}. Received: {row['LogFlag']!r}.")
    edges = {"low": row["MinVal"], "high": row["MaxVal"], "transform": _TRANSFORMS[row["LogFlag"]]}
    try:
        return ParameterSpec.from_config({"name": name, **edges, **label})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
