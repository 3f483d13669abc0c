"""Whether a map is like the training maps, as a function of the graph."""

import math

import numpy as np
import tensorflow as tf

from higlow_tf.data.parameter_tensors import normalize
from higlow_tf.inference.typicality_features import PERCENTILE_NAMES
from higlow_tf.map_transforms import map_transform_of

__all__ = ["typicality_p_value"]


def typicality_p_value(flow, reference, maps, theta, flow_theta):
    """P-value of `TypicalityReference.score` of each map at its posterior mean.

    The features are those of `typicality_features`, in float64 as there.

    Args:
        flow: `ConditionalGlow`, `HIFlow` or `TRENF` in float32.
        reference: `TypicalityReference`, or None if the model has none: all p-values are NaN then.
        maps: Physical maps `[B, H, W, C]`.
        theta: Their posterior means, `[B, P]`.
        flow_theta: The same with the nuisance parameters, if the flow has any, `[B, P + Q]`: the features are taken there.

    Returns:
        float32 `[B]`; NaN where theta is NaN, for a map that the model cannot take.
    """
    if reference is None:
        return tf.fill([tf.shape(theta)[0]], math.nan)
    map_transform = map_transform_of(flow)
    beginning = PERCENTILE_NAMES[map_transform]
    percentiles = [float(name.removeprefix(beginning)) for name in reference.feature_names if beginning in name]
    is_log10 = map_transform == "log10"
    features = tf.concat(
        [_features_by_level(flow, maps, flow_theta), _percentiles(maps, percentiles, is_log10)], axis=1
    )
    # Monomials in the order of their degree, as many as the reference has coefficients.
    design = _monomials(reference.parameters, tf.cast(theta, tf.float64))[:, : len(reference.coefficients)]
    z = (features - design @ tf.constant(reference.coefficients)) / reference.sd
    squared = tf.reduce_sum(z @ tf.constant(np.linalg.inv(reference.covariance)) * z, axis=1)
    distance = tf.where(tf.math.is_finite(squared), tf.sqrt(squared), math.inf)
    num_reference = len(reference.distances)
    num_farther = num_reference - tf.searchsorted(tf.constant(reference.distances), distance)
    p_value = tf.cast((1 + num_farther) / (1 + num_reference), tf.float32)
    return tf.where(tf.reduce_any(tf.math.is_nan(theta), axis=1), math.nan, p_value)


def _features_by_level(flow, maps, theta):
    """Log-density and whiteness of the latents of each level, the finest first: `[B, 5 L]`."""
    log_probs = tf.cast(flow.density_by_level(maps, theta), tf.float64)
    latents = tf.cast(flow.infer_latents(maps, theta), tf.float64)
    sizes = [math.prod(shape) for shape in flow.latent_shapes]
    columns = []
    for level, z in enumerate(tf.split(latents, sizes, axis=1)):
        columns += [log_probs[:, level] / sizes[level], *_whiteness(z, flow.latent_shapes[level])]
    return tf.stack(columns, axis=1)


def _whiteness(z, shape):
    """Mean, log variance, arcsinh of the excess kurtosis and correlation of neighbours of latents `[B, C H W]`."""
    mean = tf.reduce_mean(z, axis=1)
    centred = z - mean[:, None]
    variance = tf.maximum(tf.reduce_mean(centred**2, axis=1), np.finfo(np.float64).tiny)
    kurtosis = tf.reduce_mean(centred**4, axis=1) / variance**2 - 3.0
    field = tf.reshape(centred, [-1, *shape])
    neighbours = 0.5 * (tf.roll(field, 1, axis=2) + tf.roll(field, 1, axis=3))
    correlation = tf.reduce_mean(field * neighbours, axis=(1, 2, 3)) / variance
    return mean, tf.math.log(variance), tf.asinh(kurtosis), correlation


def _percentiles(maps, percentiles, is_log10):
    """Percentiles of the pixels or of their log10, interpolated between neighbours as in NumPy: `[B, Q]`."""
    num_pixels = math.prod(maps.shape[1:])
    pixels = tf.sort(tf.cast(tf.reshape(maps, [-1, num_pixels]), tf.float64), axis=1)
    position = np.array(percentiles) / 100.0 * (num_pixels - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, num_pixels - 1)
    low, high = (tf.gather(pixels, index, axis=1) for index in (below, above))
    if is_log10:
        low, high = (tf.math.log(pixel) / math.log(10.0) for pixel in (low, high))
    return low + (position - below) * (high - low)


def _monomials(parameters, theta):
    """1, the normalised parameters, and their products in pairs: `[B, P]` -> `[B, (P + 1) (P + 2) / 2]`."""
    normalized = normalize(parameters, theta)
    first, second = np.triu_indices(len(parameters))
    products = tf.gather(normalized, first, axis=1) * tf.gather(normalized, second, axis=1)
    return tf.concat([tf.ones_like(normalized[:, :1]), normalized, products], axis=1)
