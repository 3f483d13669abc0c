"""The numbers of the end layers: fitted to statistics of maps after training, never by gradients."""

import math

import keras
import numpy as np
import tensorflow as tf

__all__ = ["EndLayerWeights", "NUM_KNOTS", "bands_of_scale", "condition_features", "wave_numbers"]

NUM_KNOTS = 44
_MAX_BANDS = 4


def wave_numbers(side):
    """Length of the wave vector of each coefficient of a Hartley transform, in units of 2 pi / side: `[side, side]`."""
    along_axis = np.fft.fftfreq(side, 1.0 / side)
    return np.hypot(along_axis[:, None], along_axis[None, :])


def bands_of_scale(side):
    """Band of each coefficient, integers `[side, side]` from 0: octaves below the Nyquist frequency, at most four bands."""
    num_bands = max(1, min(_MAX_BANDS, int(math.log2(side)) - 1))
    edges = [side / 2 ** (num_bands + 1 - band) for band in range(1, num_bands)]
    return np.digitize(wave_numbers(side), edges, right=True)


def condition_features(condition):
    """`[N, P]` -> `[N, F]`: one, the parameters, and their products by twos, F = (P + 1) (P + 2) / 2. Any array or tensor."""
    columns = [condition[:, index] for index in range(condition.shape[1])]
    products = [a * b for index, a in enumerate(columns) for b in columns[index:]]
    stack = np.stack if isinstance(condition, np.ndarray) else tf.stack
    return stack([columns[0] * 0.0 + 1.0, *columns, *products], 1)


@keras.saving.register_keras_serializable(package="higlow_tf")
class EndLayerWeights(keras.layers.Layer):
    """Weights of the transport of band powers, the filter and the pixel curve of a flow's end.

    Args:
        map_size: Pixels on a side, H.
        num_channels: C.
        num_parameters: P.

    Weights:
        None is trainable; `fit_end_layers` sets them. They start at the identity.
        band_matrix `[D, D]`, band_coefficients `[F, D]` with D = C (1 + B), B bands and F = (P + 1) (P + 2) / 2;
        log_transfer `[C, H / 2]` at the wave numbers 1 ... H / 2; knots_x, knots_y, knot_slopes `[C, 44]`.
    """

    def __init__(self, map_size, num_channels, num_parameters, **kwargs):
        super().__init__(**kwargs)
        self.map_size = map_size
        self.num_channels = num_channels
        self.num_parameters = num_parameters
        self.bands = bands_of_scale(map_size)

    def build(self, input_shape=None):
        channels, num_summaries = self.num_channels, self.num_channels * (2 + int(self.bands.max()))
        num_features = (self.num_parameters + 1) * (self.num_parameters + 2) // 2
        line = np.tile(np.linspace(-1.0, 1.0, NUM_KNOTS), (channels, 1))
        starts = {
            "band_matrix": np.eye(num_summaries),
            "band_coefficients": np.zeros((num_features, num_summaries)),
            "log_transfer": np.zeros((channels, self.map_size // 2)),
            "knots_x": line,
            "knots_y": line,
            "knot_slopes": np.ones_like(line),
        }
        for name, start in starts.items():
            weight = self.add_weight(name=name, shape=start.shape, initializer="zeros", trainable=False)
            weight.assign(start)
            setattr(self, name, weight)

    def transport(self, condition):
        """Condition `[N, P]` -> the matrix `[D, D]` and the shift `[D, N]` of mean and band powers."""
        shift = tf.matmul(
            self.band_coefficients.value, condition_features(condition), transpose_a=True, transpose_b=True
        )
        return tf.convert_to_tensor(self.band_matrix.value), shift

    def transfer(self):
        """Natural log of the filter at every coefficient, `[C, H, H]`: linear between wave numbers, constant beyond the last."""
        wave_number = np.clip(wave_numbers(self.map_size), 0.0, self.map_size // 2)
        # The mean, wave number 0, is the business of the transport.
        nodes = tf.concat([tf.zeros_like(self.log_transfer.value[:, :1]), self.log_transfer.value], axis=1)
        low = np.minimum(np.floor(wave_number), self.map_size // 2 - 1).astype(int)
        share = tf.constant(wave_number - low, nodes.dtype)
        return (1.0 - share) * tf.gather(nodes, low, axis=1) + share * tf.gather(nodes, low + 1, axis=1)

    def knots(self):
        """x, y and slope of the knots of the pixel curve, `[C, K]` each."""
        return tuple(tf.convert_to_tensor(part.value) for part in (self.knots_x, self.knots_y, self.knot_slopes))

    def get_config(self):
        own = ("map_size", "num_channels", "num_parameters")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
