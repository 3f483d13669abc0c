"""Posteriors of some test maps, compared with the parameters of their simulations."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.diagnostics import Metric, coverage, parameter_scores
from higlow_tf.errors import InputError
from higlow_tf.inference import Posterior

__all__ = ["PosteriorScores", "score_posteriors"]

MOST_PARAMETERS = 3
"""More do not fit on a grid."""


@dataclass(frozen=True, eq=False)
class PosteriorScores:
    """Posteriors of single test maps, with the run's stored calibration if it has one.

    Attributes:
        posterior: `Posterior` of the `N` maps.
        truth: Their parameters, those of the posterior, `[N, P]`.
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


def score_posteriors(answers, chosen, *, nuisance=(), seed=0):
    """Infers the parameters of test maps on a grid, and scores the posteriors.

    Args:
        answers: `ModelAnswers` of the model.
        chosen: `HIMapDataset` of the test maps to look at.
        nuisance: Names of the parameters that one does not ask for.
        seed: Seed of resamples.

    Returns:
        `PosteriorScores`.

    Raises:
        InputError: If there are more parameters than a grid can hold.
    """
    num_asked = len(chosen.parameters.without(nuisance))
    if num_asked > MOST_PARAMETERS:
        raise InputError(f"posteriors: expected at most {MOST_PARAMETERS} parameters. Received: {num_asked}.")
    posterior = answers.posterior(np.asarray(chosen.maps))
    truth, simulation = (
        chosen.parameters.columns(chosen.theta, posterior.parameters.names),
        np.asarray(chosen.simulation),
    )
    # Rounding errors may take sums of probabilities above 1.
    level = np.clip(posterior.hpd_level(truth), 0.0, 1.0)
    scores = parameter_scores(truth, posterior.mean, posterior.sd, simulation, posterior.parameters.names, seed=seed)
    metrics = {f"coverage_{percent}": coverage(level, simulation, percent / 100, seed=seed) for percent in (68, 95)}
    return PosteriorScores(posterior, truth, simulation, metrics | scores.metrics())
