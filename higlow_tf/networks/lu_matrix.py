"""LU factors of the 1x1 convolutions, for all steps of a level at once."""

import keras
import numpy as np
import scipy.linalg
import tensorflow as tf

from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.networks.soft_clamp import soft_clamp

__all__ = ["StackedLUMatrix"]


@keras.saving.register_keras_serializable(package="higlow_tf")
class StackedLUMatrix(keras.layers.Layer):
    """K invertible matrices W**-1 = P L (U + diag(s)), stored by their factors.

    Math:
        s = sign * exp(log_start + soft_clamp(raw_log_s))
        log|det W**-1| = sum(log|s|)

    The matrix that is parametrised is the one that the density applies, so that training inverts nothing; sampling
    inverts all K at once. The start is a rotation; the bound holds for the change of log|s| from there.

    Args:
        num_steps: K.
        channels: C.
        max_log_scale: Bound of the change of each log|s|.
        seed: Seed of the random rotations of the start.

    Call arguments:
        direction: "inverse" (density) or "forward" (sampling).

    Output shape:
        Dict with log_abs_det (of W) `[K]` and, by direction, inverse_weight or weight `[K, C, C]`.

    Weights:
        lu (strict triangles of L and U) and raw_log_s: trainable. permutation, sign, log_start: fixed with the start.

    References:
        [1] Kingma & Dhariwal. Glow. NeurIPS 2018. https://arxiv.org/abs/1807.03039
    """

    def __init__(self, num_steps, channels, *, max_log_scale=MAX_LOG_SCALE, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.num_steps = num_steps
        self.channels = channels
        self.max_log_scale = max_log_scale
        self.seed = seed

    def build(self, input_shape=None):
        k, c = self.num_steps, self.channels
        self.lu = self.add_weight(name="lu", shape=(k, c, c), initializer="zeros")
        self.raw_log_s = self.add_weight(name="raw_log_s", shape=(k, c), initializer="zeros")
        self.permutation = self.add_weight(
            name="permutation", shape=(k, c), initializer="zeros", dtype="int32", trainable=False
        )
        self.sign = self.add_weight(name="sign", shape=(k, c), initializer="ones", trainable=False)
        self.log_start = self.add_weight(name="log_start", shape=(k, c), initializer="zeros", trainable=False)
        self.start_at(self.random_rotations())

    def random_rotations(self):
        """`[K, C, C]` random orthogonal matrices of this layer's seed."""
        rng = np.random.default_rng(self.seed)
        return np.stack(
            [np.linalg.qr(rng.standard_normal((self.channels, self.channels)))[0] for _ in range(self.num_steps)]
        )

    def start_at(self, matrices):
        """Sets all factors so that W**-1 equals the given invertible matrices `[K, C, C]`."""
        permutations, lu, diagonals = [], [], []
        for matrix in np.asarray(matrices, dtype=np.float64):
            rows, lower, upper = scipy.linalg.lu(matrix, p_indices=True)
            permutations.append(rows)
            lu.append(np.tril(lower, -1) + np.triu(upper, 1))
            diagonals.append(np.diag(upper))
        self.permutation.assign(np.stack(permutations).astype("int32"))
        self.lu.assign(np.stack(lu))
        self.sign.assign(np.sign(diagonals))
        self.log_start.assign(np.log(np.abs(diagonals)))
        self.raw_log_s.assign(np.zeros_like(diagonals))

    def call(self, direction):
        lu = tf.convert_to_tensor(self.lu)
        log_s = self.log_start.value + soft_clamp(self.raw_log_s.value, self.max_log_scale)
        lower = tf.linalg.set_diag(tf.linalg.band_part(lu, -1, 0), tf.ones_like(log_s))
        upper = tf.linalg.set_diag(tf.linalg.band_part(lu, 0, -1), self.sign.value * tf.exp(log_s))
        log_abs_det = -tf.reduce_sum(log_s, axis=-1)
        if direction == "inverse":
            inverse_weight = tf.gather(lower @ upper, self.permutation.value, batch_dims=1)
            return {"log_abs_det": log_abs_det, "inverse_weight": inverse_weight}
        product = _upper_inverse(upper) @ _lower_inverse(lower)
        return {"log_abs_det": log_abs_det, "weight": tf.gather(product, self.permutation.value, axis=2, batch_dims=1)}

    def get_config(self):
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "channels": self.channels,
            "max_log_scale": self.max_log_scale,
            "seed": self.seed,
        }


def _upper_inverse(upper):
    return tf.linalg.matrix_transpose(_lower_inverse(tf.linalg.matrix_transpose(upper)))


def _lower_inverse(lower):
    """Inverse of lower triangular matrices `[K, C, C]` by merging diagonal blocks that double in size.

    Math:
        [[a, 0], [b, d]]**-1 = [[a**-1, 0], [-d**-1 b a**-1, d**-1]]

    Products only: XLA's own triangular solve on a CPU is five times slower.
    """
    num_steps, channels, _ = lower.shape
    size = 2 ** (channels - 1).bit_length()
    missing = size - channels
    padded = tf.pad(lower, [[0, 0], [0, missing], [0, missing]])
    padded = tf.linalg.set_diag(padded, tf.pad(tf.linalg.diag_part(lower), [[0, 0], [0, missing]], constant_values=1.0))
    inverses = 1.0 / tf.linalg.diag_part(padded)[..., None, None]
    block = 1
    while block < size:
        pairs = size // (2 * block)
        blocks = tf.transpose(tf.reshape(padded, [num_steps, pairs, 2 * block, pairs, 2 * block]), [0, 2, 4, 1, 3])
        below = tf.transpose(tf.linalg.diag_part(blocks[:, block:, :block]), [0, 3, 1, 2])
        first, second = inverses[:, 0::2], inverses[:, 1::2]
        upper_row = tf.concat([first, tf.zeros_like(first)], axis=-1)
        inverses = tf.concat([upper_row, tf.concat([-second @ below @ first, second], axis=-1)], axis=-2)
        block *= 2
    return inverses[:, 0, :channels, :channels]
