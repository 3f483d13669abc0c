"""One judge for all rivals: the repair that higlow gives itself, and the scores of its report."""

import numpy as np

from higlow_tf.evaluation.judgement import judge_posteriors
from higlow_tf.inference import fit_calibration, theta_lattice_over_prior
from higlow_tf.inference.symmetry import symmetric_copies

__all__ = ["judge", "log_posteriors_of_copies"]

# Points an axis at which a rival gives its log posterior, by number of parameters: splines interpolate between them.
_POINTS = {1: 65, 2: 33, 3: 17}
_MAPS_AT_ONCE = 64


def judge(likelihoods, problem, seed=0):
    """Fits the repair on validation simulations and scores raw and repaired posteriors on test simulations.

    Args:
        likelihoods: Callable `(dataset, calibration_of) -> (theta_grid [G, P], log-likelihoods [N, 2, G])`, as
            `log_likelihood_of_copies` returns them; for a posterior estimator log posterior minus log prior, up to a constant a
            map. `calibration_of` gives the `Calibration` for such a pair: a rival that chooses its points needs it.
        problem: `Problem`.
        seed: Seed of the bootstrap.

    Returns:
        `Judgement`: raw and repaired posteriors, of single maps and of all maps of a simulation.
    """
    validation, test = problem.validation, problem.test

    def fitted(theta_grid, log_likelihoods):
        return fit_calibration(
            log_likelihoods[:, 0],
            theta_grid,
            validation.theta,
            validation.simulation,
            validation.parameters,
            num_symmetries=problem.num_symmetries,
            label=f"{validation.num_simulations} validation simulations, {validation.num_maps} maps",
            seed=seed,
        ).calibration

    calibration = fitted(*likelihoods(validation, fitted))
    theta_grid, log_likelihoods = likelihoods(test, lambda *_: calibration)
    return judge_posteriors(theta_grid, log_likelihoods, test, calibration, seed=seed)


def log_posteriors_of_copies(log_density, dataset, num_symmetries):
    """The log posteriors of maps on a lattice over the prior, averaged over symmetric copies and not.

    Args:
        log_density: Callable `(maps [M, H, H], points [G, P] in [-1, 1]) -> [M, G]`, nats.
        dataset: `HIMapDataset`.
        num_symmetries: Copies of each map, the map itself first.

    Returns:
        The pair (theta `[G, P]`, log-densities `[N, 2, G]`).
    """
    parameters = dataset.parameters
    theta_grid = theta_lattice_over_prior(parameters, _POINTS[len(parameters)])
    points = parameters.normalize(theta_grid)
    rows = []
    for start in range(0, dataset.num_maps, _MAPS_AT_ONCE):
        maps = np.asarray(dataset.maps[start : start + _MAPS_AT_ONCE])
        copies = np.concatenate([symmetric_copies(hi_map, num_symmetries) for hi_map in maps])
        of_copies = np.asarray(log_density(copies, points), np.float64).reshape(len(maps), num_symmetries, -1)
        rows.append(np.stack([of_copies.mean(axis=1), of_copies[:, 0]], axis=1))
    return theta_grid, np.concatenate(rows)
