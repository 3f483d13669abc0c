"""Named numbers with their error, and the file that keeps them."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path

__all__ = ["METRICS_FORMAT_VERSION", "Metric", "read_metrics", "write_metrics"]

METRICS_FORMAT_VERSION = 1
# Names in files of version 0.1, and what they are called now.
_OLD_NAMES = {"nonfinite_samples_at_cosmologies": "unusable_samples_at_cosmologies"}


@dataclass(frozen=True)
class Metric:
    """One number of an evaluation.

    Attributes:
        value: The number; None where it is not defined.
        error: Its standard error over simulations; None where there are too few simulations for one.
        floor: What real against real gives for the same measure; None where that has no meaning.
        n_simulations: How many simulations stand behind it.
    """

    value: float | int | None
    error: float | None = None
    floor: float | None = None
    n_simulations: int | np.integer | None = None


def write_metrics(path: str | os.PathLike[str], metrics: Mapping[str, Metric], *, overwrite: bool = False) -> Path:
    """Writes metrics as JSON: `{"format_version": 1, name: {"value", "error", "floor", "n_simulations"}, ...}`.

    A number that is not finite becomes null, because JSON has no NaN. The file appears whole or not at all.

    Args:
        path: File to write; its folder is made if need be.
        metrics: Names and metrics, in the order in which they are written.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        InputError: If the file exists and `overwrite` is false, it cannot be written, or a metric has the reserved name
            "format_version".
    """
    if "format_version" in metrics:
        raise InputError("metrics: expected names other than the reserved one. Received: 'format_version'.")
    content: dict[str, Any] = {"format_version": METRICS_FORMAT_VERSION}
    for name, metric in metrics.items():
        content[name] = {key: _finite_or_none(number) for key, number in asdict(metric).items()}
    with whole_path(path, overwrite) as part:
        part.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return Path(path)


def read_metrics(path: str | os.PathLike[str]) -> dict[str, Metric]:
    """Reads a file of `write_metrics`.

    Returns:
        Names and metrics, in the order of the file; null is read as None, and an old name as the new one.

    Raises:
        InputError: If the file is missing, is not such a file, or has a newer format_version.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a JSON file of metrics. Received: no such file.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: expected a JSON file of metrics. Received: a file that is not JSON.") from error
    version = content.pop("format_version", None) if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise InputError(f"{path}: expected a file of metrics with a format_version. Received: {version!r}.")
    if version > METRICS_FORMAT_VERSION:
        raise InputError(
            f"{path}: expected format_version {METRICS_FORMAT_VERSION} or older; a newer higlow_tf wrote it. "
            f"Received: {version}."
        )
    known = {field.name for field in fields(Metric)}
    for name, entry in content.items():
        if not isinstance(entry, dict) or set(entry) != known:
            raise InputError(f"{path}: expected the keys {sorted(known)} for metric {name!r}. Received: {entry!r}.")
    return {_OLD_NAMES.get(name, name): Metric(**entry) for name, entry in content.items()}


def _finite_or_none(number: float | int | np.integer | None) -> float | int | None:
    if number is None or not math.isfinite(number):
        return None
    return int(number) if isinstance(number, Integral) else float(number)
