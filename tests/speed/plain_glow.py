"""A Glow of one level in plain TensorFlow, as one writes it first: NHWC, `tf.nn.conv2d`, unrolled steps, automatic gradients.

A yardstick for the speed of ours, with the same kinds and numbers of operations. It never changes, so that a ratio to it says the
same in every version. It computes in the same process and at the same time, so that a busy machine slows both.
"""

import numpy as np
import tensorflow as tf

__all__ = ["PlainGlow"]

_LOG_SCALE_LIMIT = 2.0


class PlainGlow:
    """Squeeze, then K steps of injector, 1x1 convolution and coupling, between standardised maps and Gaussian latents.

    Args:
        num_steps: K.
        width: Hidden channels of the coupling networks.
        num_parameters: P.
    """

    def __init__(self, num_steps, width, num_parameters=2, channels=4):
        rng = np.random.default_rng(0)
        half = channels // 2

        def variable(*shape):
            return tf.Variable((0.01 * rng.standard_normal(shape)).astype(np.float32))

        self.steps = [
            {
                "injector": variable(num_parameters, 2 * channels),
                "matrix": tf.Variable(np.linalg.qr(rng.standard_normal((channels, channels)))[0].astype(np.float32)),
                "condition": variable(num_parameters, width),
                "kernel_1": variable(3, 3, half, width),
                "kernel_2": variable(1, 1, width, width),
                "kernel_3": variable(3, 3, width, 2 * half),
            }
            for _ in range(num_steps)
        ]
        self.variables = [tensor for step in self.steps for tensor in step.values()]

    def nll(self, maps, condition):
        """Maps `[N, H, W, 1]` and conditions `[N, P]` -> `[N]` nats."""
        x, log_det = tf.nn.space_to_depth(maps, 2), 0.0
        pixels = x.shape[1] * x.shape[2]
        for step in self.steps:
            shift, log_scale = self._injection(step, condition)
            x = (x - shift) * tf.exp(-log_scale)
            x = tf.nn.conv2d(x, step["matrix"][None, None], 1, "SAME")
            a, b = tf.split(x, 2, axis=-1)
            coupling_shift, coupling_log_scale = self._coupling(step, a, condition)
            x = tf.concat([a, (b - coupling_shift) * tf.exp(-coupling_log_scale)], axis=-1)
            log_det -= pixels * tf.reduce_sum(log_scale, [1, 2, 3]) + tf.reduce_sum(coupling_log_scale, [1, 2, 3])
            log_det += pixels * tf.linalg.slogdet(step["matrix"])[1]
        return 0.5 * tf.reduce_sum(x * x, [1, 2, 3]) - log_det

    def sample(self, z, condition):
        """Latents `[N, H / 2, W / 2, 4]` and conditions `[N, P]` -> maps `[N, H, W, 1]`."""
        for step in reversed(self.steps):
            a, b = tf.split(z, 2, axis=-1)
            shift, log_scale = self._coupling(step, a, condition)
            z = tf.concat([a, b * tf.exp(log_scale) + shift], axis=-1)
            z = tf.nn.conv2d(z, tf.linalg.inv(step["matrix"])[None, None], 1, "SAME")
            shift, log_scale = self._injection(step, condition)
            z = z * tf.exp(log_scale) + shift
        return tf.nn.depth_to_space(z, 2)

    def gradients(self, maps, condition):
        """Gradients of the mean nats."""
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.nll(maps, condition))
        return tape.gradient(loss, self.variables)

    def _injection(self, step, condition):
        shift, log_scale = tf.split(tf.matmul(condition, step["injector"])[:, None, None], 2, axis=-1)
        return shift, _clamped(log_scale)

    def _coupling(self, step, a, condition):
        h = tf.nn.conv2d(a, step["kernel_1"], 1, "SAME") + tf.matmul(condition, step["condition"])[:, None, None]
        h = tf.nn.relu(tf.nn.conv2d(tf.nn.relu(h), step["kernel_2"], 1, "SAME"))
        shift, log_scale = tf.split(tf.nn.conv2d(h, step["kernel_3"], 1, "SAME"), 2, axis=-1)
        return shift, _clamped(log_scale)


def _clamped(log_scale):
    return _LOG_SCALE_LIMIT * tf.tanh(log_scale / _LOG_SCALE_LIMIT)
