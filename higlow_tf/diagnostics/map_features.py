"""Numbers of a map by which classifiers judge it."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter

from higlow_tf.diagnostics.fields import MAP_FIELDS
from higlow_tf.diagnostics.map_samples import MapSet

__all__ = ["map_features"]

_PERCENTILES = (0, 0.1, 1, 5, 16, 50, 84, 95, 99, 99.9, 100)
_PATCH_SIZES = (2, 4, 8)
_TINY = 1e-12


def map_features(map_set: MapSet) -> Float[np.ndarray, "N F"]:
    """Numbers of each map that do not change under shifts, rotations and reflections; measured once, and kept.

    Returns:
        `[N, F]`: ln P(k) of the log10 map and of the overdensity; percentiles, mean, standard deviation, skewness and
        kurtosis of log10; standard deviation and skewness of its means over all patches of 2, 4 and 8 pixels, and mean
        and standard deviation of its standard deviation within them.
    """
    return map_set.once("features", "", lambda: _measure(map_set))


def _measure(map_set: MapSet) -> np.ndarray:
    log10_maps = map_set.field("log10")
    features = [np.log(np.maximum(map_set.power(name).power_mpc2_h2, _TINY)) for name in MAP_FIELDS]
    features.append(np.percentile(log10_maps, _PERCENTILES, axis=(1, 2)).T)
    features.append(np.stack([log10_maps.mean(axis=(1, 2)), *_shape(log10_maps)], axis=1))
    centred = log10_maps - log10_maps.mean(axis=(1, 2), keepdims=True)
    for size in _PATCH_SIZES:
        window = (1, size, size)
        mean = uniform_filter(centred, window, mode="wrap")
        sd = np.sqrt(np.maximum(uniform_filter(centred**2, window, mode="wrap") - mean**2, 0.0))
        sd_of_mean, skewness, _ = _shape(mean)
        features.append(np.stack([sd_of_mean, skewness, sd.mean(axis=(1, 2)), sd.std(axis=(1, 2))], axis=1))
    features = np.hstack(features)
    features.flags.writeable = False
    return features


def _shape(fields: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard deviation, skewness and kurtosis of the pixels of each field; 0 for a constant one."""
    centred = fields - fields.mean(axis=(1, 2), keepdims=True)
    sd = centred.std(axis=(1, 2))
    unit = centred / np.maximum(sd, _TINY)[:, None, None]
    return sd, np.mean(unit**3, axis=(1, 2)), np.mean(unit**4, axis=(1, 2))
