"""A small convolutional network that looks at whole maps."""

import keras
import numpy as np
from keras import layers, ops

__all__ = ["PeriodicConvolution", "map_network"]

_WIDTHS = (8, 16, 32, 32)
# Maps are not averaged to fewer pixels a side.
_FEWEST_PIXELS = 4
# Of the moving averages of batch normalisation. Trainings are short: some hundreds of steps.
_MOMENTUM = 0.9


class PeriodicConvolution(layers.Conv2D):
    """A convolution of periodic maps: 3x3, which keeps their size, or 4x4 in strides of 2, which halves it.

    Args:
        filters: Channels of the result.
        kernel_size, strides: 3 and 1, or 4 and 2.
        seed: Seed of the initial weights.

    Input shape: `[B, H, W, I]`
    Output shape: `[B, H / strides, W / strides, filters]`
    """

    def __init__(self, filters: int, kernel_size: int = 3, strides: int = 1, *, seed: int):
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding="valid",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(seed=seed),
        )

    def call(self, inputs):
        rows = ops.concatenate([inputs[:, -1:], inputs, inputs[:, :1]], axis=1)
        return super().call(ops.concatenate([rows[:, :, -1:], rows, rows[:, :, :1]], axis=2))

    def compute_output_shape(self, input_shape):
        rows, columns = (size // stride for size, stride in zip(input_shape[1:3], self.strides, strict=True))
        return (input_shape[0], rows, columns, self.filters)


def map_network(map_size: int, seed: int) -> keras.Model:
    """Four convolutions with batch normalisation, averages over 2x2 pixels between them, and one number of the mean of all.

    It has few weights (15,000), because there are few maps: hundreds. The mean over all pixels and periodic edges make its
    answer independent of the origin, up to shifts within what is averaged.

    Args:
        map_size: Pixels a side.
        seed: Seed of the initial weights. No global random state is used or changed.

    Returns:
        A model `[B, H, H, 1] -> [B, 1]`, log-odds.
    """
    seeds = [int(number) for number in np.random.SeedSequence(seed).generate_state(len(_WIDTHS) + 1)]
    inputs = keras.Input((map_size, map_size, 1))
    features, size = inputs, map_size
    for number, (filters, layer_seed) in enumerate(zip(_WIDTHS, seeds, strict=False)):
        if number > 0 and size % 2 == 0 and size // 2 >= _FEWEST_PIXELS:
            features, size = layers.AveragePooling2D(2)(features), size // 2
        features = PeriodicConvolution(filters, seed=layer_seed)(features)
        features = layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(features))
    mean = layers.GlobalAveragePooling2D()(features)
    log_odds = layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=seeds[-1]))(mean)
    return keras.Model(inputs, log_odds)
