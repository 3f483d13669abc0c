"""The one bound of every log-scale in the flow."""

import tensorflow as tf

__all__ = ["soft_clamp", "soft_clamp_inverse"]

# How near to the bound a data-dependent start may set a log-scale: further out its gradient is dead.
_START_FRACTION = 0.9


def soft_clamp(raw_log_scale, limit):
    """Bounds smoothly: `log_scale = limit * tanh(raw_log_scale / limit)`.

    The identity near zero, and the same in both directions of the flow.
    """
    return limit * tf.math.tanh(raw_log_scale / limit)


def soft_clamp_inverse(log_scale, limit):
    """The raw log-scale of a log-scale, which is first cut to 0.9 of the limit."""
    fraction = tf.clip_by_value(log_scale / limit, -_START_FRACTION, _START_FRACTION)
    return limit * tf.math.atanh(fraction)
