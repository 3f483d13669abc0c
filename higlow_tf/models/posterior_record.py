"""What a run knows of its posteriors: the calibration and the reference of typical maps, as JSON beside the model."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pydantic

from higlow_tf.data import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.text_files import Record, check_record, read_json

__all__ = ["CALIBRATION_FILE", "TYPICALITY_FILE", "forget_posterior_records", "read_posterior_records"]

CALIBRATION_FILE, TYPICALITY_FILE = "calibration.json", "typicality.json"
_EXPECTED = "a whole JSON file of `higlow calibrate`"
# Features as `higlow_tf.inference.typicality_features` names them; a median is needed by name, one of log10 with its value.
_FEATURE = r"^(log_prob|latent_mean|latent_log_variance|latent_kurtosis|latent_correlation)_level_\d+$|^(log10_)?percentile_\d+$"
_LOG10_MEDIAN, _MEDIAN = "log10_percentile_50", "percentile_50"

_NotNegative = pydantic.NonNegativeFloat
_Numbers = Annotated[list[float], pydantic.Field(min_length=1)]
_Matrix = Annotated[list[_Numbers], pydantic.Field(min_length=1)]


class _Calibration(Record):
    """Older files lack the keys that have a default here."""

    tempering: pydantic.PositiveFloat
    widening: _NotNegative | Annotated[list[_NotNegative], pydantic.Field(min_length=1)]
    map_correlation: Annotated[float, pydantic.Field(ge=0.0, le=1.0)] | None = None
    label: str = ""
    num_simulations: pydantic.PositiveInt | None = None
    num_symmetries: Annotated[int, pydantic.Field(ge=1, le=1024)] = 1
    num_flows: Annotated[int, pydantic.Field(ge=1, le=64)] = 1
    parameters: Annotated[list[str], pydantic.Field(min_length=1)] | None = None
    nuisance_draws: Literal["adapted", "prior"] = "prior"


class _Typicality(Record):
    parameters: list[dict]
    feature_names: list[Annotated[str, pydantic.StringConstraints(pattern=_FEATURE)]]
    log10_median: float | None
    num_simulations: pydantic.PositiveInt
    coefficients: _Matrix
    sd: Annotated[list[pydantic.PositiveFloat], pydantic.Field(min_length=1)]
    covariance: _Matrix
    distances: Annotated[list[_NotNegative], pydantic.Field(min_length=1)]

    @pydantic.model_validator(mode="after")
    def _check_shapes(self):
        number = len(self.feature_names)
        median = _MEDIAN if self.log10_median is None else _LOG10_MEDIAN
        if len(set(self.feature_names)) != number or median not in self.feature_names:
            raise ValueError(f"feature_names that repeat, or are without {median}")
        num_parameters = len(ParameterSpace.from_config(self.parameters))
        numbers = (1, 1 + num_parameters, (1 + num_parameters) * (2 + num_parameters) // 2)
        # The largest polynomial that leaves three simulations a coefficient, as the fit chooses it.
        num_coefficients = max(n for n in numbers if n == 1 or 3 * n <= self.num_simulations)
        for name, rows, shape in (
            ("coefficients", self.coefficients, (num_coefficients, number)),
            ("sd", [self.sd], (1, number)),
            ("covariance", self.covariance, (number, number)),
        ):
            if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
                raise ValueError(f"{name} of another shape than {shape}")
        covariance = np.array(self.covariance)
        if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance).min() <= 0:
            raise ValueError("a covariance that is not symmetric and positive")
        if self.distances != sorted(self.distances):
            raise ValueError("distances that are not sorted")
        return self


def read_posterior_records(directory, parameters, nuisance=()):
    """The pair (calibration, typicality) of a run or a saved model as dicts; None where there is none.

    Args:
        directory: Folder of the run or the model.
        parameters: `ParameterSpace` of its model.
        nuisance: Names of those parameters over which its posteriors integrate. Both records must belong to the others.

    Raises:
        InputError: If a file is damaged, or was made for posteriors of other parameters.
    """
    paths = [Path(directory) / name for name in (CALIBRATION_FILE, TYPICALITY_FILE)]
    calibration, typicality = map(_read, paths, (_Calibration, _Typicality))
    names = tuple(name for name in parameters.names if name not in nuisance)
    widening = None if calibration is None else calibration["widening"]
    if isinstance(widening, list) and len(widening) != len(names):
        raise InputError(f"{paths[0]}: expected a widening of one or {len(names)} numbers. Received: {len(widening)}.")
    found = [
        None if calibration is None else calibration.get("parameters"),
        None if typicality is None else [spec["name"] for spec in typicality["parameters"]],
    ]
    for path, own in zip(paths, found, strict=True):
        if own is not None and tuple(own) != names:
            raise InputError(
                f"{path}: expected the parameters of the model, {', '.join(names)}. Received: {', '.join(own)}."
            )
    return calibration, typicality


def forget_posterior_records(directory):
    """Removes both, where a new model takes the place of the one that they were fitted for."""
    for name in (CALIBRATION_FILE, TYPICALITY_FILE):
        (Path(directory) / name).unlink(missing_ok=True)


def _read(path, record_type):
    if not path.exists():
        return None
    content = read_json(path, _EXPECTED)
    check_record(record_type, content, path, _EXPECTED)
    return content
