"""Simulation parameters: their names, their prior, and the way to [-1, 1] and back."""

import difflib
import math
from dataclasses import asdict, dataclass, fields

import numpy as np
from scipy.stats import qmc

from higlow_tf.errors import InputError

__all__ = ["CAMELS_PARAMETERS", "EDGE_TOLERANCE", "ParameterSpace", "ParameterSpec", "nearest_name"]

_TRANSFORMS = ("linear", "log")
# A table stored in float32 may put a value on an edge of the prior just outside of it (0.6 becomes 0.60000002).
EDGE_TOLERANCE = 1e-6


def nearest_name(name, names):
    """Returns the entry of `names` that looks most like `name`; case and underscores do not count."""

    def plain(text):
        return str(text).lower().replace("_", "")

    return max(names, key=lambda other: difflib.SequenceMatcher(None, plain(name), plain(other)).ratio())


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter and its prior: uniform between two edges, in the value or in its logarithm.

    Args:
        name: An identifier, as in the parameter tables (`"Omega_m"`).
        label: LaTeX without dollar signs, for figures; None for the name.
        low: Lower edge of the prior.
        high: Upper edge of the prior.
        transform: `"linear"` for a uniform prior, `"log"` for a log-uniform one.

    Raises:
        InputError: If the name is no identifier, if the edges are not finite and in order, if the transform is unknown, or if
            a log-uniform prior reaches zero.
    """

    name: str
    label: str | None = None
    low: float | None = None
    high: float | None = None
    transform: str = "linear"

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InputError(f"A parameter's name must be an identifier. Received: {self.name!r}.")
        if self.label is None:
            object.__setattr__(self, "label", self.name.replace("_", r"\_"))
        if not isinstance(self.label, str):
            raise InputError(f"The label of {self.name} must be a string. Received: {self.label!r}.")
        try:
            low, high = float(self.low), float(self.high)
        except (TypeError, ValueError):
            raise InputError(
                f"The prior edges of {self.name} must be numbers. Received: {self.low!r}, {self.high!r}."
            ) from None
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InputError(f"The prior edges of {self.name} must be finite with low < high. Received: {low}, {high}.")
        if self.transform not in _TRANSFORMS:
            raise InputError(
                f"The transform of {self.name} must be one of {_TRANSFORMS}. Received: {self.transform!r}."
            )
        if self.transform == "log" and low <= 0:
            raise InputError(f"The log-uniform prior of {self.name} must start above zero. Received: {low}.")

    @classmethod
    def from_config(cls, config):
        """Makes a parameter from a mapping. Without a label its name is the label."""
        known = [field.name for field in fields(cls)]
        missing = [name for name in ("name", "low", "high") if name not in config]
        unknown = [name for name in config if name not in known]
        if missing or unknown:
            raise InputError(
                f"A parameter needs name, low, high, and may have transform and label. Received: {dict(config)!r}."
            )
        return cls(**config)


# The Latin hypercube (LH) prior of CAMELS: https://camels.readthedocs.io
CAMELS_PARAMETERS = {
    spec.name: spec
    for spec in (
        ParameterSpec("Omega_m", r"\Omega_{\rm m}", 0.1, 0.5),
        ParameterSpec("sigma_8", r"\sigma_8", 0.6, 1.0),
        ParameterSpec("A_SN1", r"A_{\rm SN1}", 0.25, 4.0, "log"),
        ParameterSpec("A_AGN1", r"A_{\rm AGN1}", 0.25, 4.0, "log"),
        ParameterSpec("A_SN2", r"A_{\rm SN2}", 0.5, 2.0, "log"),
        ParameterSpec("A_AGN2", r"A_{\rm AGN2}", 0.5, 2.0, "log"),
    )
}


@dataclass(frozen=True)
class ParameterSpace:
    """An ordered set of parameters; the order is that of the columns of every `theta`.

    Math:
        normalised = 2 * (f(theta) - f(low)) / (f(high) - f(low)) - 1,  f = log for log-uniform parameters

    Args:
        specs: The parameters, as a tuple of `ParameterSpec`.

    Raises:
        InputError: If there is no parameter, if one is no `ParameterSpec`, or if two share a name.

    Example:
        >>> space = ParameterSpace.from_names(["Omega_m", "sigma_8"])
        >>> space.normalize([[0.3, 1.0]]).round(12) + 0.0
        array([[0., 1.]])
    """

    specs: tuple

    def __post_init__(self):
        object.__setattr__(self, "specs", tuple(self.specs))
        if not self.specs or not all(isinstance(spec, ParameterSpec) for spec in self.specs):
            raise InputError(f"A parameter space needs one or more ParameterSpec. Received: {self.specs!r}.")
        if len(set(self.names)) != len(self.names):
            raise InputError(f"Every parameter must have a name of its own. Received: {list(self.names)}.")

    @classmethod
    def from_names(cls, names):
        """Builds the space from names of the CAMELS registry. A `ParameterSpec` among them is taken as it is.

        A mapping with name, low, high and perhaps transform and label, as in a YAML file, becomes a `ParameterSpec`.
        """
        if isinstance(names, (str, dict, ParameterSpec)):
            names = [names]
        specs = []
        for name in names:
            if isinstance(name, dict):
                name = ParameterSpec.from_config(name)
            if not isinstance(name, ParameterSpec) and name not in CAMELS_PARAMETERS:
                raise InputError(
                    f"Every parameter must be a ParameterSpec or one of {list(CAMELS_PARAMETERS)} "
                    f"(did you mean {nearest_name(name, CAMELS_PARAMETERS)!r}?). Received: {name!r}."
                )
            specs.append(name if isinstance(name, ParameterSpec) else CAMELS_PARAMETERS[name])
        return cls(tuple(specs))

    @property
    def names(self):
        return tuple(spec.name for spec in self.specs)

    @property
    def labels(self):
        return tuple(spec.label for spec in self.specs)

    @property
    def low(self):
        """Lower prior edges, `[P]`."""
        return np.array([spec.low for spec in self.specs])

    @property
    def high(self):
        """Upper prior edges, `[P]`."""
        return np.array([spec.high for spec in self.specs])

    @property
    def is_log(self):
        """Which parameters have a log-uniform prior, `[P]`."""
        return np.array([spec.transform == "log" for spec in self.specs])

    @property
    def middle(self):
        """The middle of the prior (in log for log-uniform parameters), `[P]`."""
        return self.denormalize(np.zeros(len(self)))

    def point(self, values, name="theta"):
        """One point of the parameters as a row, `[1, P]`.

        Args:
            values: P numbers, in the order of the parameters.
            name: Their name in the error.

        Raises:
            InputError: If their number is not P, or one is not finite.
        """
        row = np.array([values], dtype=np.float64)
        if row.shape != (1, len(self)) or not np.isfinite(row).all():
            raise InputError(
                f"{name}: expected {len(self)} finite values, {', '.join(self.names)}. Received: {row[0].tolist()}."
            )
        return row

    def without(self, names):
        """The space of the parameters that do not have these names, in their order."""
        return ParameterSpace(tuple(spec for spec in self.specs if spec.name not in names))

    def columns(self, theta, names):
        """The columns of theta that have these names, `[..., P]` -> `[..., len(names)]`."""
        return self._checked(theta)[..., [self.names.index(name) for name in names]]

    def __len__(self):
        return len(self.specs)

    def __iter__(self):
        return iter(self.specs)

    def normalize(self, theta):
        """Maps the prior onto [-1, 1], `[..., P]` -> `[..., P]`. Values outside the prior go beyond -1 and 1."""
        theta = self._checked(theta)
        if np.any(theta[..., self.is_log] <= 0):
            logs = [spec.name for spec in self.specs if spec.transform == "log"]
            raise InputError(
                f"The log-uniform parameters {logs} must be positive. Received: {theta[..., self.is_log].min()}."
            )
        low, high = self._transformed_edges()
        return 2.0 * (self._transformed(theta) - low) / (high - low) - 1.0

    def denormalize(self, normalized):
        """The inverse of `normalize`, `[..., P]` -> `[..., P]`."""
        low, high = self._transformed_edges()
        values = low + 0.5 * (self._checked(normalized) + 1.0) * (high - low)
        return np.where(self.is_log, np.exp(np.where(self.is_log, values, 0.0)), values)

    @property
    def normalized_per_unit(self):
        """Derivative of the normalised coordinate by theta, or by log(theta) for log-uniform parameters, `[P]`."""
        low, high = self._transformed_edges()
        return 2.0 / (high - low)

    def log_prior_density(self, theta):
        """Log of the prior density per unit of theta, `[..., P]` -> `[...]`. The rows must lie in the prior."""
        theta = self._checked(theta)
        low = np.where(self.is_log, self.low, 1.0)
        width = np.where(self.is_log, theta * np.log(self.high / low), self.high - self.low)
        return -np.log(width).sum(axis=-1)

    def outside(self, theta):
        """Which rows lie outside the prior (or are not finite), `[N, P]` -> bool `[N]`."""
        return np.any(self._excess(theta) > 0, axis=-1)

    def describe_outside(self, theta):
        """One clause for each parameter: how many rows lie outside its prior, and by how much. Empty if none does."""
        excess = self._excess(theta).reshape(-1, len(self))
        clauses = [
            f"{spec.name} of {np.count_nonzero(column > 0)} of {len(column)} rows lies outside "
            f"[{spec.low:g}, {spec.high:g}] by up to {column.max():.3g}"
            for spec, column in zip(self.specs, excess.T, strict=True)
            if np.any(column > 0)
        ]
        return " and ".join(clauses)

    def sample_uniform(self, num_samples, seed):
        """Independent draws from the prior, float64 `[num_samples, P]`."""
        return self.from_unit(np.random.default_rng(seed).random((num_samples, len(self))))

    def latin_hypercube(self, num_samples, seed):
        """A Latin hypercube over the prior: each of `num_samples` equal slices of each parameter is hit once."""
        return self.from_unit(qmc.LatinHypercube(len(self), rng=np.random.default_rng(seed)).random(num_samples))

    def cell_centres(self, points_per_axis):
        """Centres of equal cells of the prior (equal in log for log-uniform parameters), `[points_per_axis**P, P]`."""
        edges = np.linspace(-1.0, 1.0, points_per_axis + 1)
        axes = np.meshgrid(*[0.5 * (edges[1:] + edges[:-1])] * len(self), indexing="ij")
        return self.denormalize(np.stack([axis.ravel() for axis in axes], axis=-1))

    def to_config(self):
        """The space as JSON-compatible values."""
        return [asdict(spec) for spec in self.specs]

    @classmethod
    def from_config(cls, config):
        """The inverse of `to_config`."""
        return cls(tuple(ParameterSpec.from_config(spec) for spec in config))

    def from_unit(self, unit):
        """Maps uniform numbers in [0, 1] to draws from the prior, `[..., P]` -> `[..., P]`."""
        # The exponential of a logarithm may miss an edge by one rounding.
        return np.clip(self.denormalize(2.0 * unit - 1.0), self.low, self.high)

    def _checked(self, theta):
        theta = np.asarray(theta, dtype=np.float64)
        if theta.ndim == 0 or theta.shape[-1] != len(self):
            raise InputError(
                f"theta must have one column for each of {list(self.names)}. Received: shape {theta.shape}."
            )
        return theta

    def _transformed(self, theta):
        return np.where(self.is_log, np.log(np.where(self.is_log, theta, 1.0)), theta)

    def _transformed_edges(self):
        return self._transformed(self.low), self._transformed(self.high)

    def _excess(self, theta):
        """How far each value lies beyond its prior, 0 inside; infinite for NaN."""
        theta = self._checked(theta)
        excess = np.nan_to_num(np.maximum(self.low - theta, theta - self.high), nan=np.inf, posinf=np.inf)
        return np.where(excess > EDGE_TOLERANCE * (self.high - self.low), excess, 0.0)
