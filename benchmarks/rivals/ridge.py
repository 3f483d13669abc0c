"""Quadratic ridge regression on summary statistics, with a Gaussian posterior as wide as its errors."""

import time

import numpy as np

from benchmarks.rivals.judging import log_posteriors_of_copies
from benchmarks.summary_ridge import fit_ridge, summaries

__all__ = ["TITLE", "train_ridge"]

TITLE = "quadratic ridge on summaries"


def train_ridge(problem, seconds, seed, folder):
    """Fits `summary_ridge`; the posterior is a Gaussian about its prediction, with the covariance of its validation errors.

    The penalty and the covariance come from validation simulations. `seconds`, `seed` and `folder` are not used: the fit has a
    closed form.

    Returns:
        The pair (likelihoods, facts of the training), see `judge`.
    """
    start = time.process_time()
    train, validation = problem.train, problem.validation
    box = train.box_size_mpc_h
    features = [summaries(subset.maps, box) for subset in (train, validation)]
    truth = [problem.parameters.normalize(subset.theta) for subset in (train, validation)]
    ridge = fit_ridge(features[0], truth[0], features[1], truth[1])
    errors = ridge.predict(features[1]) - truth[1]
    precision = np.linalg.inv(errors.T @ errors / len(errors))

    def log_density(maps, points):
        distance = points - ridge.predict(summaries(maps, box))[:, None]
        return -0.5 * np.einsum("ngp,pq,ngq->ng", distance, precision, distance)

    def likelihoods(dataset, calibration_of):
        # Summaries know the symmetries: all copies of a map are one.
        return log_posteriors_of_copies(log_density, dataset, num_symmetries=1)

    facts = {"cpu_seconds": time.process_time() - start, "num_weights": int(ridge.coefficients.size)}
    return likelihoods, facts
