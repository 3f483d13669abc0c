"""Priors of the parameters: a box, Gaussian factors, and a function of the user."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import qmc

from higlow_tf.data.parameters import ParameterSpace, nearest_name
from higlow_tf.errors import InputError, InputWarning

__all__ = ["BoundPrior", "Prior"]

# Edges that were written with six digits are still those of training.
_EDGE_TOLERANCE = 1e-6
# Points inside the box at which functions of the user are compared.
_PROBES = 64


@dataclass(frozen=True)
class Prior:
    """Prior density of the parameters, named one by one; what is not named keeps the prior of training.

    Math:
        log prior = sum over `normal` of -1/2 * ((f(theta) - f(mean)) / sd)**2 + log_prob(theta) + constant inside
        low <= theta <= high, and -inf outside;  f = log for log-uniform parameters, identity for the others

    Without `normal` and `log_prob` it is uniform in the box (log-uniform in log-uniform parameters).

    Args:
        low: Lower edges by name, physical.
        high: Upper edges by name, physical.
        normal: `(mean, sd)` by name: a normal truncated by the box. For a log-uniform parameter the mean is the median
            of theta, and sd the standard deviation of its natural logarithm.
        log_prob: Callable `theta [G, P] -> [G]`, natural log of a density per unit of theta (physical, in the order of
            the model's parameters), up to a constant; -inf where it is zero. It replaces uniformity in the box. The
            method "nuts" needs it in TensorFlow.

    Example:
        >>> prior = Prior(low={"Omega_m": 0.2}, normal={"sigma_8": (0.81, 0.02)})
        >>> prior.bind(ParameterSpace.from_names(["Omega_m", "sigma_8"])).low.round(12)
        array([-0.5, -1. ])
    """

    low: Mapping = field(default_factory=dict)
    high: Mapping = field(default_factory=dict)
    normal: Mapping = field(default_factory=dict)
    log_prob: Callable | None = None

    def bind(self, parameters, allow_extrapolation=False):
        """The prior in the coordinates of a parameter space.

        Args:
            parameters: `ParameterSpace` of the model.
            allow_extrapolation: Whether the box may reach beyond the prior of training; then with an `InputWarning`.

        Returns:
            `BoundPrior`.

        Raises:
            InputError: If a name is unknown, a number outside its range, or the box is wider than may be.
        """
        if self.log_prob is not None and not callable(self.log_prob):
            raise InputError(f"prior: expected log_prob to be a function of theta. Received: {self.log_prob!r}.")
        low = _by_name(self.low, parameters, parameters.low, "low")
        high = _by_name(self.high, parameters, parameters.high, "high")
        for spec, bottom, top in zip(parameters, low, high, strict=True):
            if not bottom < top or (spec.transform == "log" and bottom <= 0):
                above = "0 < " if spec.transform == "log" else ""
                raise InputError(f"prior: expected {above}low < high for {spec.name}. Received: {bottom:g}, {top:g}.")
        mean, sd = np.zeros(len(parameters)), np.full(len(parameters), np.inf)
        for name, pair in self.normal.items():
            column = _column(name, parameters, "normal")
            mean[column], sd[column] = _normalized_normal(parameters, column, pair)
        bound = BoundPrior(parameters, *parameters.normalize(np.stack([low, high])), mean, sd, self.log_prob)
        _check_extrapolation(bound, allow_extrapolation)
        return bound


@dataclass(frozen=True)
class BoundPrior:
    """A prior in normalised coordinates: [-1, 1] over the prior of training, in log for log-uniform parameters.

    Args:
        parameters: `ParameterSpace`.
        low: Lower edges, normalised, `[P]`.
        high: Upper edges, normalised, `[P]`.
        mean: Means of the Gaussian factors, normalised, `[P]`.
        sd: Their standard deviations, normalised, `[P]`; infinite where there is none.
        log_prob: The user's function of physical theta, or None.
    """

    parameters: ParameterSpace
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    log_prob: Callable | None = None

    def log_density(self, normalized, theta):
        """Log-density per unit of the normalised coordinates, up to a constant, inside the box: `[G, P]` -> `[G]`.

        Plain operators only, so that NumPy and TensorFlow give the same.

        Args:
            normalized: Points in normalised coordinates.
            theta: The same points, physical.
        """
        total = 0.0 * normalized[:, 0]
        for column in np.flatnonzero(np.isfinite(self.sd)):
            total = total - 0.5 * ((normalized[:, column] - self.mean[column]) / self.sd[column]) ** 2
        if self.log_prob is not None:
            value = self.log_prob(theta)
            if tuple(getattr(value, "shape", ())) != tuple(total.shape):
                raise InputError(
                    f"prior: expected log_prob to give one number a row of theta, [{len(total)}]. Received: "
                    f"shape {tuple(getattr(value, 'shape', ()))}."
                )
            total = total + value
            # d theta / d normalised = constant * theta for a log-uniform parameter, and log(theta) is linear.
            per_unit = self.parameters.normalized_per_unit
            for column in np.flatnonzero(self.parameters.is_log):
                total = total + normalized[:, column] / per_unit[column]
        return total

    def fingerprint(self):
        """What tells priors apart, JSON-compatible: the configuration, and values of the user's function inside the box."""
        if self.log_prob is None:
            return self.to_config()
        points = self.low + qmc.Halton(len(self.low), scramble=False).fast_forward(1).random(_PROBES) * (
            self.high - self.low
        )
        values = np.asarray(self.log_prob(self.parameters.denormalize(points)), np.float64)
        return self.to_config() | {"values": np.ravel(values).tolist()}

    def to_config(self):
        """The prior as JSON-compatible values: edges in physical units, the function by its name."""
        parameters, width = self.parameters, self.parameters.normalized_per_unit
        low, high, mean = parameters.denormalize(np.stack([self.low, self.high, self.mean]))
        names = parameters.names
        return {
            "low": dict(zip(names, low.tolist(), strict=True)),
            "high": dict(zip(names, high.tolist(), strict=True)),
            "normal": {
                names[j]: [float(mean[j]), float(self.sd[j] / width[j])] for j in np.flatnonzero(np.isfinite(self.sd))
            },
            "log_prob": None if self.log_prob is None else getattr(self.log_prob, "__qualname__", repr(self.log_prob)),
        }


def _column(name, parameters, field_name):
    if name not in parameters.names:
        raise InputError(
            f"prior: expected the names {', '.join(parameters.names)} in {field_name} "
            f"(did you mean {nearest_name(name, parameters.names)!r}?). Received: {name!r}."
        )
    return parameters.names.index(name)


def _by_name(edges, parameters, default, field_name):
    values = default.copy()
    for name, edge in edges.items():
        column = _column(name, parameters, field_name)
        try:
            values[column] = float(edge)
        except (TypeError, ValueError):
            values[column] = np.nan
        if not np.isfinite(values[column]):
            raise InputError(f"prior: expected a finite number as {field_name} of {name}. Received: {edge!r}.")
    return values


def _normalized_normal(parameters, column, pair):
    """(mean, sd) of one parameter in normalised coordinates."""
    spec = parameters.specs[column]
    try:
        mean, sd = (float(value) for value in pair)
    except (TypeError, ValueError):
        mean = sd = np.nan
    is_usable = np.isfinite(mean) and np.isfinite(sd) and sd > 0 and (mean > 0 or spec.transform == "linear")
    if not is_usable:
        raise InputError(f"prior: expected (mean, sd) with sd > 0 as normal of {spec.name}. Received: {pair!r}.")
    point = parameters.low.copy()
    point[column] = mean
    return parameters.normalize(point)[column], sd * parameters.normalized_per_unit[column]


def _check_extrapolation(bound, allow_extrapolation):
    beyond = np.maximum(-1.0 - bound.low, bound.high - 1.0) > _EDGE_TOLERANCE
    if not beyond.any():
        return
    low, high = bound.parameters.denormalize(np.stack([bound.low, bound.high]))
    wider = "; ".join(
        f"{spec.name} in [{low[j]:g}, {high[j]:g}], trained in [{spec.low:g}, {spec.high:g}]"
        for j, spec in enumerate(bound.parameters)
        if beyond[j]
    )
    if not allow_extrapolation:
        raise InputError(
            f"prior: expected one within the prior of training, or allow_extrapolation=True. Received: {wider}."
        )
    warnings.warn(f"The prior is wider than that of training, so the model extrapolates: {wider}.", InputWarning, 4)
