"""The discriminative objective of the second stage: how well a density tells the true parameters from others."""

import numpy as np
import tensorflow as tf

__all__ = ["candidate_conditions", "posterior_cross_entropy"]

# Widths of the clouds of candidates, in units of the normalised prior (2 wide). None: the whole prior. The widths span
# the posteriors that one map and the maps of a whole simulation have.
_WIDTHS = (None, 0.5, 0.25, 0.12)


def candidate_conditions(conditions, num_candidates, seed):
    """Hides true parameters among others that could as well have been the true ones.

    Method:
        For each row one width s is drawn at random. A hidden centre is drawn around the truth, and all other candidates
        around the centre, by a Gaussian of sd s that is reflected at the edges of the prior; or all uniformly over the
        prior. The reflected Gaussian is symmetric, so under a uniform prior truth and others are exchangeable: nothing
        but the map tells which is which, and the softmax of the log-likelihoods is the exact posterior over them.

    Args:
        conditions: True parameters, normalised to [-1, 1], `[B, P]`.
        num_candidates: M, the truth included.
        seed: Stateless seed `[2]`.

    Returns:
        `[B, M, P]`; the truth comes first.
    """
    shape, dtype = tf.shape(conditions), conditions.dtype
    seeds = tf.random.split(seed, 4)
    others = [shape[0], num_candidates - 1, conditions.shape[1]]
    is_wide = np.array([width is None for width in _WIDTHS])
    widths = np.array([width or 0.0 for width in _WIDTHS])
    choice = tf.random.stateless_uniform([shape[0]], seeds[0], maxval=len(_WIDTHS), dtype=tf.int32)
    width = tf.gather(tf.constant(widths, dtype), choice)[:, None]
    centre = _reflected(conditions + width * tf.random.stateless_normal(shape, seeds[1], dtype=dtype))
    cloud = centre[:, None] + width[:, None] * tf.random.stateless_normal(others, seeds[2], dtype=dtype)
    uniform = tf.random.stateless_uniform(others, seeds[3], minval=-1.0, maxval=1.0, dtype=dtype)
    drawn = tf.where(tf.gather(tf.constant(is_wide), choice)[:, None, None], uniform, _reflected(cloud))
    return tf.concat([conditions[:, None], drawn], axis=1)


def posterior_cross_entropy(log_prob):
    """-log of the posterior mass of the truth among its candidates: `[B, M]` nats, the truth first -> `[B]` nats."""
    return tf.reduce_logsumexp(log_prob, axis=1) - log_prob[:, 0]


def _reflected(x):
    """Folds the line into [-1, 1]."""
    return 1.0 - tf.abs(tf.math.floormod(x + 1.0, 4.0) - 2.0)
