"""Maps as coefficients of waves: a real Fourier transform that is its own inverse."""

import math

import numpy as np
import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector, zero_log_det

__all__ = ["HartleyTransform"]


class HartleyTransform(OnePassBijector):
    """Takes periodic maps to the coefficients of their plane waves, and back.

    Type:     [..., H, H, C] -> [..., H, H, C]

    Forward:  y = Q x Q                                 # for every channel
    Inverse:  x = Q y Q
    fldj:     0
    ildj:     0
    where     Q[i, k] = (cos(2 pi i k / H) + sin(2 pi i k / H)) / sqrt(H), symmetric and orthogonal

    Every convolution whose kernel is even along both axes is diagonal in these coefficients, and so is every isotropic one. The
    sum of the squares of coefficients k and -k is that of the Fourier transform with norm="ortho". Coefficient (0, 0) is
    the mean of the map times H. Two matrix products a map need no complex numbers, and keep the memory layout.

    Args:
        name: Name of this bijector.

    Example:
        >>> HartleyTransform().forward(tf.constant([4.0, 0.0, 0.0, 0.0], shape=[2, 2, 1])).numpy().ravel().round(3).tolist()
        [2.0, 2.0, 2.0, 2.0]

    References:
        [1] Bracewell. Discrete Hartley transform. J. Opt. Soc. Am. 73, 1832 (1983).
    """

    def __init__(self, name="hartley_transform"):
        parameters = dict(locals())
        super().__init__(is_conditional=False, parameters=parameters, name=name)

    def forward_and_log_det(self, x, conditional_input=None):
        waves = tf.constant(_waves(x.shape[1]), x.dtype)
        return tf.einsum("hu,vw,cuvn->chwn", waves, waves, x), zero_log_det(x)

    def inverse_and_log_det(self, y, conditional_input=None):
        return self.forward_and_log_det(y)


def _waves(side):
    phases = 2.0 * math.pi * (np.outer(np.arange(side), np.arange(side)) % side) / side
    return (np.cos(phases) + np.sin(phases)) / math.sqrt(side)
