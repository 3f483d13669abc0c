"""The likelihood on one regular grid over the prior, the same for all maps."""

import numpy as np

from higlow_tf.expected_rows import expect_rows
from higlow_tf.inference.cache import AnswerCache
from higlow_tf.inference.lattice import Lattice
from higlow_tf.inference.likelihood import MapLikelihood, checked_maps
from higlow_tf.inference.marginal_likelihood import NUM_NUISANCE_DRAWS, MarginalLikelihood

__all__ = [
    "log_likelihood_of_copies",
    "log_likelihood_on_grid",
    "theta_grid_over_prior",
    "theta_lattice_over_prior",
]


def theta_grid_over_prior(parameters, points_per_axis):
    """Centres of equal cells of the prior (equal in log for log-uniform parameters): `[points_per_axis**P, P]`."""
    return parameters.cell_centres(points_per_axis)


def theta_lattice_over_prior(parameters, points_per_axis):
    """Equally spaced points of the prior (in log for log-uniform parameters), edges included: `[points_per_axis**P, P]`.

    A spline through these is better than one through as many centres of cells: nothing is extrapolated.
    """
    edge = np.ones(len(parameters))
    return parameters.denormalize(Lattice(-edge, edge, (points_per_axis,) * len(parameters)).points())


def log_likelihood_on_grid(model, hi_maps, points_per_axis=32, *, progress=None):
    """Raw log-likelihoods on one grid.

    Args:
        model: An object with `log_prob(hi_maps, theta)` and `parameters`, a `ParameterSpace`.
        hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`).
        points_per_axis: Points an axis, the edges of the prior included; about the distance of points must be the width of a
            posterior, since splines go through them.
        progress: Called as `progress("likelihoods", done, total)` after every map.

    Returns:
        The pair (theta_grid `[G, P]` of the parameters of interest, log-likelihood `[N, G]` in nats; NaN counts as -inf).

    Raises:
        InputError: If the likelihood of a map is finite nowhere.
    """
    theta_grid, log_likelihood = log_likelihood_of_copies(model, hi_maps, points_per_axis, progress=progress)
    return theta_grid, log_likelihood[:, 1]


def log_likelihood_of_copies(
    model,
    hi_maps,
    points_per_axis=32,
    num_symmetries=1,
    *,
    coarser=None,
    num_nuisance_draws=NUM_NUISANCE_DRAWS,
    nuisance_draws="adapted",
    progress=None,
    cache_dir=None,
):
    """Raw log-likelihoods of maps on one grid, averaged over symmetric copies and not, from which a calibration is fitted.

    Args:
        model, hi_maps, points_per_axis, progress: As of `log_likelihood_on_grid`.
        num_symmetries: Copies of each map, T, the map itself first (see `symmetry_indices`).
        coarser: What this function has given for (points_per_axis + 1) / 2 points, `[N, 2, G']`: these points are not evaluated
            again. None to evaluate all.
        num_nuisance_draws: Draws over which the nuisance parameters are integrated, if the model has some.
        nuisance_draws: "adapted" or "prior", see `MarginalLikelihood`.
        cache_dir: Folder that keeps the likelihoods of every map, so that a call that was interrupted goes on; or None. See
            `AnswerCache`.

    Returns:
        The pair (theta_grid `[G, P]` of the parameters of interest, log-likelihoods `[N, 2, G]` in nats: first the average over
        the copies, then that of the map as it is; NaN counts as -inf).

    Raises:
        InputError: If the likelihood of a map is finite nowhere.

    Warns:
        InputWarning: If a file in `cache_dir` is damaged.
    """
    hi_maps = checked_maps(hi_maps)
    marginal = MarginalLikelihood(model, num_draws=num_nuisance_draws, nuisance_draws=nuisance_draws)
    theta_grid = theta_lattice_over_prior(marginal.parameters, points_per_axis)
    log_likelihood = np.empty((len(hi_maps), 2, len(theta_grid)))
    is_new = np.ones((points_per_axis,) * len(marginal.parameters), bool)
    if coarser is not None:
        is_new[(slice(None, None, 2),) * is_new.ndim] = False
    is_new = is_new.ravel()
    cache = AnswerCache(cache_dir, model)
    spaces = [model.parameters.to_config(), marginal.to_config()]
    grid = ["average and plain", *spaces, points_per_axis, num_symmetries, int(is_new.sum())]
    num_rows = len(hi_maps) * num_symmetries * marginal.num_evaluations(int(is_new.sum()))
    for index, hi_map in enumerate(hi_maps):

        def compute(hi_map=hi_map, index=index):
            return MapLikelihood(marginal, hi_map, index, num_symmetries).averaged_and_plain(theta_grid[is_new])

        with expect_rows(num_rows):
            new = cache.array("likelihoods", [*grid, hi_map], compute, hi_maps=hi_map[None])
        log_likelihood[index][:, is_new] = new
        if coarser is not None:
            log_likelihood[index][:, ~is_new] = coarser[index]
        if progress is not None:
            progress("likelihoods", index + 1, len(hi_maps))
    return theta_grid, log_likelihood
