"""What repairs a posterior that is too sure of itself: fitted on validation simulations, stored with the run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.inference.ensemble import checked_num_flows
from higlow_tf.inference.marginal_likelihood import checked_nuisance_draws
from higlow_tf.inference.symmetry import checked_num_symmetries

__all__ = ["Calibration", "chosen_calibration"]

_KEYS = (
    "tempering", "widening", "map_correlation", "label", "num_simulations", "num_symmetries", "num_flows", "parameters",
    "nuisance_draws",
)  # fmt: skip


@dataclass(frozen=True)
class Calibration:
    """A tempering of the log-likelihood and a widening of the posterior.

    Math:
        log posterior = tempering * log-likelihood + log prior,
        then convolved with a Gaussian of standard deviation `widening`, reflected at the edges of the prior

    The convolution happens in the coordinates of the prior: in theta for a uniform parameter; in log(theta) for a
    log-uniform one, with the standard deviation widening / exp(posterior mean of log(theta)). So `widening` is in the
    units of theta for both.

    Args:
        tempering: Factor of the log-likelihood, positive.
        widening: One number for all parameters, or one a parameter; in the units of theta, not negative.
        map_correlation: Correlation rho between maps of one simulation, 0-1: n of them count as
            n / (1 + (n - 1) * rho) independent ones. None where it was not fitted.
        label: Where the numbers come from, in words.
        num_simulations: Simulations that it was fitted on.
        num_symmetries: Symmetric copies of a map over which its log-likelihood is averaged (see `symmetry_indices`).
        num_flows: Flows of an ensemble over which it is averaged, too (see `FlowEnsemble`).
        parameters: Names of the parameters of the posteriors that it was fitted on; None where they are not known.
        nuisance_draws: Draws over which nuisance parameters are integrated, "adapted" or "prior" (see `MarginalLikelihood`).

    Raises:
        InputError: If a number is outside its range.

    Example:
        >>> Calibration(tempering=0.5, map_correlation=1.0).effective_number(15)
        1.0
    """

    tempering: float = 1.0
    widening: float | tuple = 0.0
    map_correlation: float | None = None
    label: str = ""
    num_simulations: int | None = None
    num_symmetries: int = 1
    num_flows: int = 1
    parameters: tuple | None = None
    nuisance_draws: str = "adapted"

    def __post_init__(self):
        tempering = _number(self.tempering, "tempering", "a positive number")
        if not tempering > 0:
            raise InputError(f"calibration: expected a positive tempering. Received: {self.tempering!r}.")
        object.__setattr__(self, "tempering", tempering)
        object.__setattr__(self, "widening", _checked_widening(self.widening))
        object.__setattr__(self, "num_symmetries", checked_num_symmetries(self.num_symmetries))
        object.__setattr__(self, "num_flows", checked_num_flows(self.num_flows))
        checked_nuisance_draws(self.nuisance_draws)
        if self.parameters is not None:
            object.__setattr__(self, "parameters", tuple(self.parameters))
        if self.map_correlation is not None:
            correlation = _number(self.map_correlation, "map_correlation", "a number in 0-1")
            if not 0.0 <= correlation <= 1.0:
                raise InputError(f"calibration: expected map_correlation in 0-1. Received: {self.map_correlation!r}.")
            object.__setattr__(self, "map_correlation", correlation)

    def widening_of(self, num_parameters):
        """The widening of each parameter, `[P]`, in the units of theta.

        Raises:
            InputError: If the calibration is that of another number of parameters.
        """
        widening = np.asarray(self.widening, dtype=np.float64)
        if widening.ndim == 1 and len(widening) != num_parameters:
            raise InputError(
                f"calibration: expected a widening of one or {num_parameters} numbers. Received: {len(widening)}."
            )
        return np.broadcast_to(widening, (num_parameters,)).copy()

    def check_parameters(self, names):
        """Refuses posteriors of other parameters than those that it was fitted on.

        Raises:
            InputError: If the names differ.
        """
        if self.parameters not in (None, tuple(names)):
            raise InputError(
                f"calibration: expected one of {', '.join(names)}, or None for raw posteriors. "
                f"Received: one of {', '.join(self.parameters)}."
            )

    def check_num_flows(self, number):
        """Refuses the likelihood of another number of flows than that which it was fitted on.

        Raises:
            InputError: If the numbers differ.
        """
        if self.num_flows != number:
            raise InputError(
                f"calibration: expected one that was fitted with {number} flows (higlow calibrate --ensemble {number}), or "
                f"None for raw posteriors. Received: one of {self.num_flows}."
            )

    def effective_number(self, num_maps):
        """How many independent maps `num_maps` maps of one simulation count as.

        Raises:
            InputError: If the calibration knows no `map_correlation`.
        """
        if self.map_correlation is None:
            raise InputError(
                "calibration: expected a map_correlation, to combine maps of one simulation. Received: None."
            )
        return num_maps / (1.0 + (num_maps - 1) * self.map_correlation)

    def to_config(self):
        """The calibration as JSON-compatible values."""
        config = {key: getattr(self, key) for key in _KEYS}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}

    @classmethod
    def from_config(cls, config):
        """The inverse of `to_config`; the numbers that older files lack have their defaults, and draws are those of the prior.

        Raises:
            InputError: If it is no mapping, lacks tempering or widening, has other keys, or a number is outside its range.
        """
        if not isinstance(config, Mapping):
            raise InputError(f"calibration: expected the keys {', '.join(_KEYS)}. Received: {config!r}.")
        unknown = sorted(set(config) - set(_KEYS))
        if unknown:
            raise InputError(f"calibration: expected the keys {', '.join(_KEYS)}. Received: {', '.join(unknown)}.")
        missing = [key for key in _KEYS[:2] if key not in config]
        if missing:
            raise InputError(f"calibration: expected tempering and widening. Received: no {' and no '.join(missing)}.")
        return cls(**{"nuisance_draws": "prior", **config})


def chosen_calibration(model, calibration):
    """The `Calibration` that an argument means, or None for none.

    Args:
        model: An object that may have an attribute `calibration`: a `Calibration`, or its configuration, as runs store it.
        calibration: "stored" for that of the model, if it has one; None; a `Calibration`, or its configuration.

    Raises:
        InputError: If it is something else, or is not a usable calibration.
    """
    if isinstance(calibration, str) and calibration == "stored":
        calibration = getattr(model, "calibration", None)
    if calibration is None or isinstance(calibration, Calibration):
        return calibration
    if not isinstance(calibration, Mapping):
        raise InputError(f"calibration: expected 'stored', None or a Calibration. Received: {calibration!r}.")
    return Calibration.from_config(calibration)


def _number(value, name, expected):
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"calibration: expected {expected} as {name}. Received: {value!r}.")
    return number


def _checked_widening(widening):
    """A float, or a tuple of one float a parameter."""
    expected = "calibration: expected a widening of one number >= 0, or one a parameter."
    try:
        values = np.asarray(widening, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{expected} Received: {widening!r}.") from None
    if values.ndim > 1 or not values.size or not np.all(np.isfinite(values) & (values >= 0)):
        raise InputError(f"{expected} Received: {widening!r}.")
    return tuple(values.tolist()) if values.ndim else float(values)
