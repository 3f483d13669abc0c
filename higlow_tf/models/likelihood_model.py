"""Training by maximum likelihood with plain Keras: `compile`, `fit`, `evaluate`."""

import keras
import tensorflow as tf

from higlow_tf.models import arguments
from higlow_tf.models.training_step import apply_clipped_finite

__all__ = ["LikelihoodModel", "compiled"]


class LikelihoodModel(keras.Model):
    """Base of conditional densities of maps that Keras trains by their negative log-likelihood.

    A subclass has `nll_per_pixel(theta, hi_maps)`, a graph function from `[N, P]` and `[N, H, W, C]` to `[N]`, and calls
    `_make_compiled` when its constructor is done.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.clip_norm = None
        self._nll_metric = keras.metrics.Mean(name="loss")
        self._skipped_metric = keras.metrics.Sum(name="skipped_steps")

    def compile(self, optimizer="adam", *, clip_norm=1.0, jit_compile=True, **kwargs):
        """Configures training.

        Args:
            optimizer: A Keras optimizer. Give clipping here, not to the optimizer: its own is per replica.
            clip_norm: Largest global norm of the gradient, applied after the sum over replicas; None for no clipping.
            jit_compile: Whether XLA compiles value and gradients (the step around them stays a TensorFlow graph).
            **kwargs: As in `keras.Model.compile`; a loss is not needed.
        """
        super().compile(optimizer=optimizer, jit_compile=False, **kwargs)
        self.clip_norm = clip_norm
        self._is_jit_compiled = bool(jit_compile)
        self._make_compiled(self._is_jit_compiled)

    def get_compile_config(self):
        config = super().get_compile_config()
        return config and {**config, "clip_norm": self.clip_norm, "jit_compile": self._is_jit_compiled}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        return [self._nll_metric, self._skipped_metric]

    def _make_compiled(self, jit_compile):
        self._compiled_nll = compiled(self.nll_per_pixel, jit_compile)
        self._compiled_gradients = compiled(self._nll_and_gradients, jit_compile)

    def _nll_and_gradients(self, theta, hi_maps, weight):
        with tf.GradientTape() as tape:
            nll = self.nll_per_pixel(theta, hi_maps)
            loss = tf.reduce_sum(weight * nll) / tf.reduce_sum(weight)
        return nll, tape.gradient(loss, [variable.value for variable in self.trainable_variables])

    def train_step(self, data):
        theta, hi_maps, weight = arguments.unpack_batch(self, data)
        nll, gradients = self._compiled_gradients(theta, hi_maps, weight)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        gradients = [gradient / replicas for gradient in gradients]
        loss = tf.reduce_sum(weight * nll)
        is_finite = apply_clipped_finite(self.optimizer, loss, gradients, self.trainable_variables, self.clip_norm)
        is_counted = tf.math.is_finite(nll)
        self._nll_metric.update_state(
            tf.where(is_counted, nll, tf.zeros_like(nll)), sample_weight=weight * tf.cast(is_counted, nll.dtype)
        )
        self._skipped_metric.update_state((1.0 - tf.cast(is_finite, nll.dtype)) / replicas)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, data):
        theta, hi_maps, weight = arguments.unpack_batch(self, data)
        self._nll_metric.update_state(self._compiled_nll(theta, hi_maps), sample_weight=weight)
        return {"loss": self._nll_metric.result()}


def compiled(function, jit_compile):
    """A graph function, under XLA or not."""
    return tf.function(function, jit_compile=jit_compile, autograph=False)
