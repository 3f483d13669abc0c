"""Numbers of a map that tell whether a trained flow has seen its like."""

import math

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.map_transforms import is_modelled, map_transform_of, modelled_map

__all__ = ["MEDIAN", "PERCENTILE_NAMES", "typicality_features"]

_PERCENTILES = (1, 16, 50, 84, 99)
PERCENTILE_NAMES = {"log10": "log10_percentile_", "identity": "percentile_"}
"""How the names of the percentiles begin, by map transform."""
MEDIAN = "log10_percentile_50"
"""Name of the feature by which other units are recognised, where there are logarithms."""


def typicality_features(model, hi_maps, theta):
    """Features of maps under a model, each map at its own posterior mean.

    Definition: for each level of the flow, the finest first,
        log_prob_level_l              log-density of the level, nats per latent
        latent_mean_level_l           mean of the latents; 0 for white ones
        latent_log_variance_level_l   log of their variance; 0
        latent_kurtosis_level_l       arcsinh of their excess kurtosis; 0
        latent_correlation_level_l    correlation of neighbours on the periodic map, same channel; 0
    and of the map itself
        log10_percentile_q            percentiles of log10 of the pixels, dex of the map's unit; or, for a model with
        percentile_q                  map_transform="identity", percentiles of the pixels

    Convention: theta must be found for all maps in the same way. Nobody knows the parameters of a new map, so that theta is the
        posterior mean, also for the maps of the reference.

    Args:
        model: An object with `log_prob_by_level(hi_maps, theta)` -> `[N, L]` and `encode(hi_maps, theta)` -> latents
            `[N, D]`, level by level, each `[C, H, W]`; and with these shapes as `latent_shapes`.
        hi_maps: Physical maps `[N, H, W]` or `[N, H, W, C]`.
        theta: `[N, P]`.

    Returns:
        The features `[N, F]` and their names. The features of a map that the model cannot take are not finite.

    Raises:
        InputError: If there is no map, or a pixel is not finite, or for a model of log10 maps not positive.
    """
    hi_maps, map_transform = np.asarray(hi_maps), map_transform_of(model)
    if not hi_maps.size or not is_modelled(hi_maps, map_transform).all():
        pixels = "positive, finite" if map_transform == "log10" else "finite"
        raise InputError(f"hi_maps: expected one or more maps of {pixels} pixels. Received: others.")
    shapes = model.latent_shapes
    sizes = np.array([math.prod(shape) for shape in shapes])
    by_level = np.asarray(model.log_prob_by_level(hi_maps, theta), np.float64) / sizes
    latents = np.asarray(model.encode(hi_maps, theta), np.float64)
    names, columns = [], []
    for level, z in enumerate(np.split(latents, np.cumsum(sizes)[:-1], axis=1)):
        columns += [by_level[:, level], *_whiteness(z, shapes[level])]
        names += [
            f"{name}_level_{level}"
            for name in ("log_prob", "latent_mean", "latent_log_variance", "latent_kurtosis", "latent_correlation")
        ]
    pixels = modelled_map(hi_maps.reshape(len(hi_maps), -1), map_transform)
    columns += list(np.percentile(pixels, _PERCENTILES, axis=1))
    names += [f"{PERCENTILE_NAMES[map_transform]}{percentile}" for percentile in _PERCENTILES]
    return np.stack(columns, axis=1), tuple(names)


def _whiteness(z, shape):
    """Mean, log variance, arcsinh of the excess kurtosis and correlation of neighbours of latents `[N, C H W]`."""
    mean = z.mean(axis=1)
    centred = z - mean[:, None]
    variance = np.maximum(np.mean(centred**2, axis=1), np.finfo(np.float64).tiny)
    kurtosis = np.mean(centred**4, axis=1) / variance**2 - 3.0
    field = centred.reshape(len(z), *shape)
    neighbours = 0.5 * (np.roll(field, 1, axis=2) + np.roll(field, 1, axis=3))
    correlation = np.mean(field * neighbours, axis=(1, 2, 3)) / variance
    return mean, np.log(variance), np.arcsinh(kurtosis), correlation
