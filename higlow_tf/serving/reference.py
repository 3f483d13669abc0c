"""Reference answers: what a published model said on the day of its publication. Every later copy is checked against them."""

import numpy as np

from higlow_tf.inference.calibration import Calibration, chosen_calibration
from higlow_tf.inference.ensemble import ensemble_of
from higlow_tf.inference.likelihood import MapLikelihood
from higlow_tf.inference.marginal_likelihood import MarginalLikelihood, parameters_of_interest
from higlow_tf.inference.uniform_grid import theta_grid_over_prior

__all__ = ["REFERENCE_FORMAT_VERSION", "reference_answers"]

REFERENCE_FORMAT_VERSION = 1

_NUM_SAMPLES = 2
_SEED = 0
_POINTS_PER_AXIS = 12
# Only one pixel in so many of a sample is kept, along each axis: a wrong flow is wrong everywhere.
_STRIDE = 8


def reference_answers(model, hi_maps, theta):
    """What a model answers: densities, samples and a posterior, JSON-compatible.

    Samples are compared as log10 maps: ten to the power of a float32 near 7 multiplies its rounding by 16.

    Args:
        model: `ConditionalGlow`, `HIFlow` or `TRENF`. If it has an attribute `calibration`, this is applied to the posterior.
        hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`).
        theta: Their parameters of interest, `[N, P]`; the samples are drawn at the first rows. Nuisance parameters are drawn, or
            integrated over.

    Returns:
        Dict of
        `log_prob`: nats of each log10 map, `[N]`;
        `sample_seed`, `sample_stride`; of the samples with the row seeds (sample_seed, i): `sample_log10_mean` and
        `sample_log10_sd` over the pixels, `[2]`, and `sample_log10_pixels`, one pixel in `sample_stride` along both axes;
        `points_per_axis` of the grid over the prior; on this grid, `posterior_mean` and `posterior_sd` of the first map, `[P]`.
        The signature `posterior` of the SavedModel gives the same.
    """
    theta, space = np.asarray(theta), parameters_of_interest(model)
    by_name = dict(zip(space.names, theta[:_NUM_SAMPLES].T, strict=True))
    samples = np.log10(model.sample(by_name, seed=_SEED).numpy())
    calibration = chosen_calibration(model, "stored") or Calibration()
    theta_grid = theta_grid_over_prior(space, _POINTS_PER_AXIS)
    quick = MarginalLikelihood(model, nuisance_draws="prior")
    log_prob = [
        MapLikelihood(quick, hi_map, row)(theta[row : row + 1])[0] for row, hi_map in enumerate(np.asarray(hi_maps))
    ]
    ensemble = ensemble_of(model, calibration.num_flows)
    marginal = MarginalLikelihood(ensemble, nuisance_draws=calibration.nuisance_draws)
    log_likelihood = MapLikelihood(marginal, hi_maps[0], 0, calibration.num_symmetries)(theta_grid)
    mean, sd = _mean_and_sd(theta_grid, log_likelihood, calibration)
    answers = {
        "log_prob": log_prob,
        "sample_log10_mean": samples.mean(axis=tuple(range(1, samples.ndim))),
        "sample_log10_sd": samples.std(axis=tuple(range(1, samples.ndim))),
        "sample_log10_pixels": samples[:, ::_STRIDE, ::_STRIDE],
        "posterior_mean": mean,
        "posterior_sd": sd,
    }
    settings = {"sample_seed": _SEED, "sample_stride": _STRIDE, "points_per_axis": _POINTS_PER_AXIS}
    return settings | {name: np.asarray(values, np.float64).tolist() for name, values in answers.items()}


def _mean_and_sd(theta_grid, log_likelihood, calibration):
    """The posterior as it is served: sd**2 = variance + widening**2."""
    mass = np.exp(calibration.tempering * (log_likelihood - log_likelihood.max()))
    mass /= mass.sum()
    mean = mass @ theta_grid
    variance = mass @ (theta_grid - mean) ** 2
    return mean, np.sqrt(variance + calibration.widening_of(theta_grid.shape[1]) ** 2)
