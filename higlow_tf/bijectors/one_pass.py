"""Base of all our bijectors: value and log-determinant in one pass, seen through TFP's methods."""

import tensorflow as tf
import tensorflow_probability as tfp

# Private in TFP, as its own FFJORD uses it; TFP is pinned for this line. Without it `inverse` followed by
# `inverse_log_det_jacobian` would evaluate the coupling network twice.
from tensorflow_probability.python.internal import cache_util

from higlow_tf.layout import batch_size, from_channel_major, to_channel_major

__all__ = ["OnePassBijector"]

tfb = tfp.bijectors


class OnePassBijector(tfb.Bijector):
    """A bijector whose value and log-determinant come from one evaluation.

    A subclass writes `forward_and_log_det` and `inverse_and_log_det` on channel-major tensors (see `higlow_tf.layout`).
    TFP's methods are views of these two on `[..., H, W, C]`, for any batch shape, which is broadcast against the batch
    shape of the condition.

    forward is latent -> map (sampling), inverse is map -> latent (density).

    Args:
        is_conditional: Whether the bijector needs `conditional_input`.
        parameters: `dict(locals())` of the subclass's constructor.
        name: Name of this bijector.
        forward_min_event_ndims: Rank of a latent event; 3 for `[H, W, C]`, 1 for a latent vector.
    """

    _cache = cache_util.BijectorCacheWithGreedyAttrs(
        forward_name="_augmented_forward", inverse_name="_augmented_inverse"
    )

    def __init__(self, *, is_conditional, parameters, name, forward_min_event_ndims=3):
        super().__init__(
            forward_min_event_ndims=forward_min_event_ndims,
            inverse_min_event_ndims=3,
            parameters=parameters,
            name=name,
        )
        self._is_conditional = is_conditional

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {}

    @property
    def is_conditional(self):
        """Whether `conditional_input` is required."""
        return self._is_conditional

    def forward_and_log_det(self, x, conditional_input=None):
        """Latent -> map.

        Args:
            x: Channel-major tensor `[C, H, W, N]`.
            conditional_input: Normalised condition `[N, P]`; required where `is_conditional`.

        Returns:
            The pair (y, fldj): channel-major `[C', H', W', N]` and `[N]`.
        """
        raise TypeError(f"{type(self).__name__} has no forward direction of its own. Received: {x}")

    def inverse_and_log_det(self, y, conditional_input=None):
        """Map -> latent: the pair (x, ildj); see `forward_and_log_det`."""
        raise TypeError(f"{type(self).__name__} has no inverse direction of its own. Received: {y}")

    # ---- TFP's methods, as views

    def _augmented_forward(self, x, conditional_input=None):
        y, fldj = self._view(self.forward_and_log_det, x, conditional_input, self.forward_min_event_ndims)
        return y, {"fldj": fldj, "ildj": -fldj}

    def _augmented_inverse(self, y, conditional_input=None):
        x, ildj = self._view(self.inverse_and_log_det, y, conditional_input, self.inverse_min_event_ndims)
        return x, {"ildj": ildj, "fldj": -ildj}

    def _forward(self, x, conditional_input=None):
        return self._augmented_forward(x, conditional_input)[0]

    def _inverse(self, y, conditional_input=None):
        return self._augmented_inverse(y, conditional_input)[0]

    def _forward_log_det_jacobian(self, x, conditional_input=None):
        return self._augmented_forward(x, conditional_input)[1]["fldj"]

    def _inverse_log_det_jacobian(self, y, conditional_input=None):
        return self._augmented_inverse(y, conditional_input)[1]["ildj"]

    def _view(self, direction, x, conditional_input, event_ndims):
        """Runs a channel-major direction on `[..., *event]`."""
        if self.is_conditional and conditional_input is None:
            raise TypeError(
                f"{type(self).__name__} needs the keyword conditional_input, a tensor [..., P]. Received: None."
            )
        x = tf.convert_to_tensor(x)
        batch_shape = tf.shape(x)[: x.shape.rank - event_ndims]
        static_batch = x.shape[: x.shape.rank - event_ndims]
        if conditional_input is not None:
            conditional_input = tf.convert_to_tensor(conditional_input, dtype=x.dtype)
            batch_shape = tf.broadcast_dynamic_shape(batch_shape, tf.shape(conditional_input)[:-1])
            static_batch = tf.broadcast_static_shape(static_batch, conditional_input.shape[:-1])
            conditional_input = _flatten_batch(conditional_input, batch_shape, 1)
        value, log_det = direction(to_channel_major(_flatten_batch(x, batch_shape, event_ndims)), conditional_input)
        value = from_channel_major(value)
        value_shape = tf.concat([batch_shape, tf.shape(value)[1:]], axis=0)
        value = tf.ensure_shape(tf.reshape(value, value_shape), static_batch.concatenate(value.shape[1:]))
        return value, tf.ensure_shape(tf.reshape(log_det, batch_shape), static_batch)


def _flatten_batch(x, batch_shape, event_ndims):
    event_shape = tf.shape(x)[x.shape.rank - event_ndims :]
    static_event = x.shape[x.shape.rank - event_ndims :]
    x = tf.broadcast_to(x, tf.concat([batch_shape, event_shape], axis=0))
    return tf.ensure_shape(tf.reshape(x, tf.concat([[-1], event_shape], axis=0)), [None, *static_event])


def zero_log_det(x):
    """`[N]` zeros for a channel-major tensor."""
    return tf.zeros([batch_size(x)], dtype=x.dtype)
