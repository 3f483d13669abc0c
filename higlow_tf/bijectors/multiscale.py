"""The multiscale composition: at the end of every level but the last, half of the channels leave."""

import math

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector, zero_log_det
from higlow_tf.layout import CHANNEL_AXIS, batch_size

__all__ = ["Multiscale"]


class Multiscale(OnePassBijector):
    """Maps a latent vector to a map through levels of growing resolution.

    Type:     [..., D] -> [..., H, W, C] with D = H W C, given conditional_input [..., P]

    Inverse:  for each level: h = level**-1(h); h, z_level = halves of its channels (the last level: z_level = h)
              x = [z_0, z_1, ...]                     # map -> latent
    Forward:  the same backwards                      # latent -> map
    fldj:     sum of the levels' fldj
    ildj:     -fldj

    Latents are ordered level by level, the finest first. Inside a level their order is `[C, H, W]`.

    Args:
        levels: `OnePassBijector`s, the one next to the map first. Level l takes the `[H / 2**(l+1), ...]` latents of
            its resolution forward to `[H / 2**l, ...]`.
        map_shape: `(H, W, C)` of the map.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required if a level is conditional.

    Raises:
        TypeError: If `conditional_input` is missing.
        ValueError: If the map size cannot be halved once a level.

    Example:
        >>> from higlow_tf.bijectors import Squeeze
        >>> flow = Multiscale([Squeeze(), Squeeze()], map_shape=(8, 8, 1))
        >>> flow.inverse(tf.zeros([3, 8, 8, 1])).shape, flow.latent_sizes
        (TensorShape([3, 64]), [32, 32])

    References:
        [1] Dinh et al. Density estimation using Real NVP. ICLR 2017. https://arxiv.org/abs/1605.08803
    """

    def __init__(self, levels, map_shape, name="multiscale"):
        parameters = dict(locals())
        levels = tuple(levels)
        height, width, channels = map_shape
        divisor = 2 ** len(levels)
        if height % divisor or width % divisor:
            raise ValueError(
                f"Expected a map size that {divisor} divides, for {len(levels)} levels. Received: {height} x {width}."
            )
        super().__init__(
            is_conditional=any(level.is_conditional for level in levels),
            parameters=parameters,
            name=name,
            forward_min_event_ndims=1,
        )
        self._levels = levels
        self._map_shape = (height, width, channels)
        self._latent_shapes = []
        for level in range(len(levels)):
            height, width, channels = height // 2, width // 2, channels * 4
            if level + 1 < len(levels):
                channels //= 2
            self._latent_shapes.append((channels, height, width))

    @property
    def latent_sizes(self):
        """Number of latents that leave at each level; they add up to D."""
        return [math.prod(shape) for shape in self._latent_shapes]

    def inverse_by_level(self, y, conditional_input=None):
        """Map -> latents: a list of (z_level `[C_l, H_l, W_l, N]`, ildj_level `[N]`), the finest level first."""
        results = []
        for index, level in enumerate(self._levels):
            y, ildj = level.inverse_and_log_det(y, conditional_input)
            y, z = tf.split(y, 2, axis=CHANNEL_AXIS) if index + 1 < len(self._levels) else (None, y)
            results.append((z, ildj))
        return results

    def inverse_and_log_det(self, y, conditional_input=None):
        n = batch_size(y)
        latents, log_dets = zip(*self.inverse_by_level(y, conditional_input), strict=True)
        flat = [tf.reshape(z, [size, n]) for z, size in zip(latents, self.latent_sizes, strict=True)]
        return tf.concat(flat, axis=0), tf.add_n(log_dets)

    def forward_and_log_det(self, x, conditional_input=None):
        n = batch_size(x)
        latents = tf.split(x, self.latent_sizes, axis=0)
        y, total = None, zero_log_det(x)
        for level, latent, shape in reversed(list(zip(self._levels, latents, self._latent_shapes, strict=True))):
            z = tf.reshape(latent, [*shape, n])
            y = z if y is None else tf.concat([y, z], axis=CHANNEL_AXIS)
            y, fldj = level.forward_and_log_det(y, conditional_input)
            total += fldj
        return y, total

    def _forward_event_shape(self, shape):
        return tf.TensorShape(self._map_shape)

    def _inverse_event_shape(self, shape):
        return tf.TensorShape([sum(self.latent_sizes)])

    def _forward_event_shape_tensor(self, shape):
        return tf.constant(self._map_shape, dtype=tf.int32)

    def _inverse_event_shape_tensor(self, shape):
        return tf.constant([sum(self.latent_sizes)], dtype=tf.int32)
