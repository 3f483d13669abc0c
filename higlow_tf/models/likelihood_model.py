"""Training by maximum likelihood, or for the posterior, with plain Keras: `compile`, `fit`, `evaluate`."""

import keras
import tensorflow as tf

from higlow_tf.errors import InputError
from higlow_tf.models import arguments
from higlow_tf.models.compilation import compiled
from higlow_tf.models.posterior_objective import candidate_conditions, posterior_cross_entropy
from higlow_tf.models.training_step import apply_clipped_finite

__all__ = ["LikelihoodModel"]


class LikelihoodModel(keras.Model):
    """Base of conditional densities of maps that Keras trains by their negative log-likelihood.

    A subclass has the graph functions `nll_per_pixel(theta, hi_maps)`, from `[N, P]` and `[N, H, W, C]` to `[N]`, and
    `normalize(theta)` with its inverse `denormalize`, the number `num_dimensions` of a map, and calls `_make_compiled` when
    its constructor is done.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.clip_norm = None
        self.posterior_weight = 0.0
        self.num_candidates = 1
        self._seed = 0
        self._loss_metric = keras.metrics.Mean(name="loss")
        self._nll_metric = keras.metrics.Mean(name="nll")
        self._posterior_metric = keras.metrics.Mean(name="posterior")
        self._skipped_metric = keras.metrics.Sum(name="skipped_steps")

    def compile(
        self,
        optimizer="adam",
        *,
        clip_norm=1.0,
        jit_compile=True,
        posterior_weight=0.0,
        num_candidates=8,
        seed=0,
        **kwargs,
    ):
        """Configures training.

        Math:
            loss = nll + posterior_weight * cross_entropy / D       nats per pixel, D pixels in a map
            cross_entropy = -log p(truth | map, candidates)         softmax of log p(map | candidate)

        Args:
            optimizer: A Keras optimizer. Give clipping here, not to the optimizer: its own is per replica.
            clip_norm: Largest global norm of the gradient, applied after the sum over replicas; None for no clipping.
            jit_compile: Whether XLA compiles value and gradients (the step around them stays a TensorFlow graph).
            posterior_weight: How many nats of density a nat of the posterior counts; 0 for maximum likelihood.
            num_candidates: Parameters among which the posterior must find the truth, which is one of them.
            seed: Seed of the candidates.
            **kwargs: As in `keras.Model.compile`; a loss is not needed.
        """
        super().compile(optimizer=optimizer, jit_compile=False, **kwargs)
        self.clip_norm = clip_norm
        self.posterior_weight = posterior_weight
        self.num_candidates = num_candidates if posterior_weight else 1
        self._seed = seed
        self._is_jit_compiled = bool(jit_compile)
        self._make_compiled(self._is_jit_compiled)

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:  # not compiled
            return config
        return {
            **config,
            "clip_norm": self.clip_norm,
            "jit_compile": self._is_jit_compiled,
            "posterior_weight": self.posterior_weight,
            "num_candidates": self.num_candidates,
            "seed": self._seed,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    @property
    def metrics(self):
        of_posterior = [self._nll_metric, self._posterior_metric] if self.posterior_weight else []
        return [self._loss_metric, *of_posterior, self._skipped_metric]

    @property
    def test_metrics(self):
        """Those of `metrics` that an evaluation has too."""
        return [metric for metric in self.metrics if metric is not self._skipped_metric]

    def fit(self, *args, **kwargs):
        """As in `keras.Model`, on one machine; `higlow_tf.runs.train` trains on several.

        Raises:
            InputError: Under a strategy of several processes, with which `fit` of Keras 3 does not work.
        """
        strategy = self.distribute_strategy
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            if strategy.num_replicas_in_sync > len(strategy.extended.worker_devices):
                raise InputError(
                    "Several machines: expected higlow train or higlow_tf.runs.train. "
                    "Received: fit, which Keras 3 does not support there."
                )
        return super().fit(*args, **kwargs)

    def _make_compiled(self, jit_compile):
        self._compiled_losses = compiled(self._loss_terms, jit_compile)
        self._compiled_gradients = compiled(self._gradients_of_terms, jit_compile, join=_joined_gradients)

    def _loss_terms(self, candidates, hi_maps):
        """Candidates `[B, M, P]`, the truth first, and maps `[B, H, W, C]` -> loss, nll (per pixel), cross-entropy, `[B]`."""
        num_candidates = candidates.shape[1]
        rows = tf.repeat(hi_maps, num_candidates, axis=0)
        theta = tf.reshape(candidates, [-1, candidates.shape[2]])
        nll = tf.reshape(self.nll_per_pixel(theta, rows), [-1, num_candidates])
        cross_entropy = posterior_cross_entropy(-self.num_dimensions * nll)
        loss = nll[:, 0] + (self.posterior_weight / self.num_dimensions) * cross_entropy
        return loss, nll[:, 0], cross_entropy

    def _gradients_of_terms(self, candidates, hi_maps, share):
        """The terms of the loss, and the gradients of its sum over the maps, each with its share `[B]`."""
        with tf.GradientTape() as tape:
            losses = self._loss_terms(candidates, hi_maps)
            loss = tf.reduce_sum(share * losses[0])
        return losses, tape.gradient(loss, [variable.value for variable in self.trainable_variables])

    def _candidates(self, theta, step):
        """The truth and what it hides among, `[B, M, P]`; a function of the seed, the step and the replica."""
        if not self.posterior_weight:
            return theta[:, None]
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.random.fold_in(tf.stack([tf.constant(self._seed, tf.int64), tf.cast(step, tf.int64)]), replica)
        return self.denormalize(candidate_conditions(self.normalize(theta), self.num_candidates, seed))

    def train_step(self, data):
        theta, hi_maps, weight = arguments.unpack_batch(self, data)
        candidates = self._candidates(theta, self.optimizer.iterations.value)
        losses, gradients = self._compiled_gradients(candidates, hi_maps, weight / tf.reduce_sum(weight))
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        gradients = [gradient / replicas for gradient in gradients]
        loss = tf.reduce_sum(weight * losses[0])
        is_finite = apply_clipped_finite(self.optimizer, loss, gradients, self.trainable_variables, self.clip_norm)
        is_counted = tf.math.is_finite(losses[0])
        counted = [tf.where(is_counted, term, tf.zeros_like(term)) for term in losses]
        self._update_losses(counted, weight * tf.cast(is_counted, weight.dtype))
        self._skipped_metric.update_state((1.0 - tf.cast(is_finite, weight.dtype)) / replicas)
        return {metric.name: metric.result() for metric in self.metrics}

    def test_step(self, data):
        theta, hi_maps, weight = arguments.unpack_batch(self, data)
        # Keras sets the metric's count to zero before an evaluation: the same candidates for the same maps each time.
        candidates = self._candidates(theta, self._loss_metric.count.value)
        self._update_losses(self._compiled_losses(candidates, hi_maps), weight)
        return {metric.name: metric.result() for metric in self.test_metrics}

    def _update_losses(self, losses, weight):
        for metric, values in zip((self._loss_metric, self._nll_metric, self._posterior_metric), losses, strict=True):
            metric.update_state(values, sample_weight=weight)


def _joined_gradients(first, second):
    """Losses `[B]` and summed gradients of a batch, from those of its halves."""
    (losses, gradients), (more_losses, more_gradients) = first, second
    losses = [tf.concat(pair, axis=0) for pair in zip(losses, more_losses, strict=True)]
    return tuple(losses), [a + b for a, b in zip(gradients, more_gradients, strict=True)]
