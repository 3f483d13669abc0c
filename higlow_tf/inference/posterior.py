"""Posterior of the parameters of N maps (or groups of maps)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.inference.calibration import Calibration
from higlow_tf.inference.cells import Cells, denser_mass
from higlow_tf.inference.draws import denser_draws_mass, draws_log_density
from higlow_tf.inference.marginal import marginal
from higlow_tf.inference.posterior_file import DERIVED, read_posterior_file, write_posterior_file

__all__ = ["EDGE_SHARE", "Posterior", "load_posterior"]

# Share of the prior's width that counts as "next to its edge".
EDGE_SHARE = 0.02
_NUM_GETDIST_DRAWS = 20000


@dataclass(frozen=True, eq=False)
class Posterior:
    """Weighted points of the posteriors of N maps, and what follows from them.

    Densities are per unit of the coordinates in which the prior of training is uniform: theta, or log(theta) for
    log-uniform parameters. A different choice would give other highest-density regions.

    Args:
        parameters: `ParameterSpace`.
        theta_grid: Points, physical, `[N, G, P]`: centres of the equal cells of a box for each map (method "grid", the
            last parameter varying fastest), or draws.
        log_posterior: Natural log of the posterior mass of each point, `[N, G]`; the masses of a map sum to one.
        map_estimate: Peak of the density, physical, `[N, P]`; for draws the peak before any widening.
        boxes: Corners of the boxes in normalised coordinates, `[N, 2, P]`; `[N, 0, P]` for draws.
        shape: Cells along each parameter; empty for draws.
        method: "grid", "importance" or "nuts".
        prior: Configuration of the prior: `low` and `high` by name, `normal`, `log_prob`.
        calibration: The `Calibration` that was applied, or None for the raw posterior.
        combine: How maps were combined, in words: "none", "independent" or "simulation".
        simulation: Which simulation each posterior belongs to, `[N]`; None unless maps were combined by simulation.
        notes: What a reader should know, in words.
        diagnostics: Arrays `[N]` or `[N, P]` by name: `num_evaluations`; `num_rounds`, `interpolation_error_sd` (grid); `ess`,
            `pareto_k` (importance); `r_hat`, `ess`, `divergences`, `acceptance` (nuts); `nuisance_ess` with nuisance
            parameters.
    """

    parameters: ParameterSpace
    theta_grid: np.ndarray
    log_posterior: np.ndarray
    map_estimate: np.ndarray
    boxes: np.ndarray
    shape: tuple
    method: str
    prior: Mapping
    calibration: Calibration | None = None
    combine: str = "none"
    simulation: np.ndarray | None = None
    notes: tuple = ()
    diagnostics: Mapping = field(default_factory=dict)

    def __len__(self):
        return len(self.theta_grid)

    @cached_property
    def _mass(self):
        return np.exp(self.log_posterior)

    @cached_property
    def mean(self):
        """Posterior mean, physical, `[N, P]`."""
        return np.einsum("ng,ngp->np", self._mass, self.theta_grid)

    @cached_property
    def covariance(self):
        """Posterior covariance, physical, `[N, P, P]`."""
        centred = self.theta_grid - self.mean[:, None]
        return np.einsum("ng,ngp,ngq->npq", self._mass, centred, centred)

    @property
    def sd(self):
        """Posterior standard deviation, physical, `[N, P]`."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    @property
    def _prior_edges(self):
        """Lower and upper edges of the prior in normalised coordinates, `[2, P]`."""
        return self.parameters.normalize(
            [[self.prior[side][name] for name in self.parameters.names] for side in ("low", "high")]
        )

    @cached_property
    def at_edge(self):
        """Largest mass in the outer 2 % of the prior's width next to one of its edges, `[N, P]`; 0.02 if flat."""
        low, high = self._prior_edges
        reach = EDGE_SHARE * (high - low)
        points = self.parameters.normalize(self.theta_grid)
        half = 0.5 * (self.boxes[:, 1] - self.boxes[:, 0]) / np.array(self.shape) if self.shape else np.zeros((1, 1))
        # The mass of a cell counts as spread evenly over it.
        width = np.maximum(2.0 * half, 1e-12)[:, None]
        below = np.clip((low + reach - points) / width + 0.5, 0.0, 1.0)
        above = np.clip((points - high + reach) / width + 0.5, 0.0, 1.0)
        return np.maximum(*(np.einsum("ng,ngp->np", self._mass, share) for share in (below, above)))

    @cached_property
    def log_density(self):
        """Log-density at each point of `theta_grid` up to a constant, `[N, G]`; for draws a kernel estimate."""
        if self.shape:
            return self.log_posterior
        points = self.parameters.normalize(self.theta_grid)
        edges = self._prior_edges
        return np.stack([draws_log_density(*pair, *edges) for pair in zip(points, self.log_posterior, strict=True)])

    def hpd_level(self, theta):
        """Posterior mass that is denser than the posterior is at theta.

        Uniform in 0-1 over truths theta for a calibrated posterior; a 68 % region holds theta where this is below 0.68.

        Args:
            theta: One row a posterior, physical, `[N, P]`.

        Returns:
            `[N]`; 1 outside the prior.
        """
        theta = np.asarray(theta, dtype=np.float64)
        if theta.shape != (len(self), len(self.parameters)):
            raise InputError(
                f"theta: expected one row a posterior, [{len(self)}, {len(self.parameters)}]. "
                f"Received: shape {theta.shape}."
            )
        levels = np.empty(len(self))
        for i, point in enumerate(self.parameters.normalize(theta)):
            if self.shape:
                levels[i] = denser_mass(self._log_mass_on_cells(i), self._cells(i), point)
            else:
                draws = self.parameters.normalize(self.theta_grid[i])
                levels[i] = denser_draws_mass(
                    draws, self.log_posterior[i], self.log_density[i], *self._prior_edges, point
                )
        return levels

    def hpd_region(self, level):
        """Threshold of `log_density` above which a highest-density region lies.

        Args:
            level: Its mass, 0-1.

        Returns:
            `[N]`: the points with `log_density >= threshold` are the fewest that hold the mass.
        """
        if not 0.0 < level < 1.0:
            raise InputError(f"level: expected a mass between 0 and 1. Received: {level!r}.")
        order = np.argsort(-self.log_density, axis=1, kind="stable")
        held = np.cumsum(np.take_along_axis(self._mass, order, axis=1), axis=1)
        last = np.minimum(np.sum(held < level, axis=1), self.log_density.shape[1] - 1)
        ranked = np.take_along_axis(self.log_density, order, axis=1)
        return np.take_along_axis(ranked, last[:, None], axis=1)[:, 0]

    def marginal(self, names):
        """The posterior of some of the parameters, the others integrated out.

        Args:
            names: One name, or several in the order that is wanted.

        Returns:
            `Posterior`.
        """
        return marginal(self, names)

    def sample(self, index, num_draws, seed=0):
        """Equally weighted draws from one posterior, physical, `[num_draws, P]`; spread over their cells on a grid."""
        rng = np.random.default_rng(seed)
        rows = rng.choice(self.theta_grid.shape[1], num_draws, p=self._mass[index] / self._mass[index].sum())
        if not self.shape:
            return self.theta_grid[index, rows]
        cells = self._cells(index)
        points = cells.points()[rows] + cells.width * (rng.random((num_draws, len(self.shape))) - 0.5)
        return self.parameters.denormalize(points)

    def to_getdist(self, index):
        """One posterior as `getdist.MCSamples`, with names, labels and the edges of the prior."""
        from getdist import MCSamples

        if self.shape:
            samples, weights = self.sample(index, _NUM_GETDIST_DRAWS), None
        else:
            samples, weights = self.theta_grid[index], self._mass[index] / self._mass[index].max()
        return MCSamples(
            samples=samples,
            weights=weights,
            names=list(self.parameters.names),
            labels=list(self.parameters.labels),
            ranges={name: (self.prior["low"][name], self.prior["high"][name]) for name in self.parameters.names},
            sampler="uncorrelated",
        )

    def save(self, file, overwrite=False):
        """Writes an HDF5 file that `load_posterior` reads; see there."""
        write_posterior_file(file, {name: getattr(self, name) for name in (*_STORED, *DERIVED)}, overwrite=overwrite)

    def _cells(self, index):
        return Cells(*self.boxes[index], self.shape)

    def _log_mass_on_cells(self, index):
        return self.log_posterior[index].reshape(self.shape)


_STORED = tuple(part.name for part in fields(Posterior))


def load_posterior(file):
    """Reads the `Posterior` in a file that `Posterior.save` wrote; `posterior_file` says what is in it.

    Args:
        file: HDF5 file.

    Raises:
        InputError: If the file is missing, is no posterior, or was written by a newer version.
    """
    return Posterior(**read_posterior_file(file))
