"""Posteriors of some test maps against the parameters that they were simulated with."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.cli.console import progress_bar
from higlow_tf.diagnostics import Metric, coverage, parameter_scores
from higlow_tf.errors import InputError
from higlow_tf.evaluation.chunks import spread_rows
from higlow_tf.inference import Posterior, infer

__all__ = ["PosteriorScores", "spread_over_simulations", "score_posteriors"]

_MOST_PARAMETERS = 3


@dataclass(frozen=True, eq=False)
class PosteriorScores:
    """Posteriors of single test maps, with the run's stored calibration if it has one.

    Attributes:
        posterior: `Posterior` of the `N` maps.
        truth: Their parameters, `[N, P]`.
        simulation: Their simulations, `[N]`.
        metrics: `rmse`, `r2`, `pull2`, `coverage_68` and so on, under the names that `higlow calibrate` writes.
    """

    posterior: Posterior
    truth: np.ndarray
    simulation: np.ndarray
    metrics: dict[str, Metric]

    @property
    def is_calibrated(self):
        """Whether a stored calibration was applied."""
        return self.posterior.calibration is not None


def spread_over_simulations(simulation, num_wanted):
    """Indices of at most so many rows, as evenly over simulations as can be, and of different places in them."""
    indices, position = np.unique(simulation, return_inverse=True)
    if num_wanted < len(indices):
        kept = spread_rows(len(indices), num_wanted)
        return np.array([np.roll(np.flatnonzero(position == index), -i)[0] for i, index in enumerate(kept)])
    turn = np.empty(len(position), int)
    for index in range(len(indices)):
        rows = np.flatnonzero(position == index)
        turn[np.roll(rows, -index)] = np.arange(len(rows))
    return np.sort(np.lexsort((position, turn))[:num_wanted])


def score_posteriors(model, test, num_maps, *, cache_dir=None, seed=0):
    """Infers the parameters of some test maps on a grid, and scores the posteriors.

    Args:
        model: A model with `log_prob` and `parameters`.
        test: `HIMapDataset` of test maps.
        num_maps: Most maps to look at, spread over the simulations; one or more.
        cache_dir: Folder that keeps every posterior; None to keep nothing.
        seed: Seed of resamples.

    Returns:
        `PosteriorScores`.

    Raises:
        InputError: If no map is asked for, or there are more parameters than a grid can hold.
    """
    if len(model.parameters) > _MOST_PARAMETERS:
        raise InputError(
            f"posteriors: expected at most {_MOST_PARAMETERS} parameters. Received: {len(model.parameters)}."
        )
    chosen = test.select(spread_over_simulations(test.simulation, num_maps))
    maps, truth, simulation = (np.asarray(getattr(chosen, name)) for name in ("maps", "theta", "simulation"))
    with progress_bar("posteriors") as report:
        posterior = infer(
            model, maps, progress=lambda _stage, *count: report(*count), cache_dir=cache_dir, warn_of_maps=False
        )
    # Sums of probabilities may pass 1 by some rounding errors.
    level = np.clip(posterior.hpd_level(truth), 0.0, 1.0)
    scores = parameter_scores(truth, posterior.mean, posterior.sd, simulation, posterior.parameters.names, seed=seed)
    metrics = {f"coverage_{percent}": coverage(level, simulation, percent / 100, seed=seed) for percent in (68, 95)}
    return PosteriorScores(posterior, truth, simulation, metrics | scores.metrics())
