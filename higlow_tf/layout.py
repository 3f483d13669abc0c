"""The memory layout inside the flow: channel-major `[C, H, W, N]`, batch innermost.

Outside, maps are `[..., H, W, C]` as everywhere in TensorFlow. Inside, a 1x1 convolution is one matrix product
`[C, C] @ [C, H W N]`, channel halves are contiguous, and a shift by a pixel moves whole rows of the batch, so that every
loop vectorises over maps. Bijectors and networks share this page and nothing else.
"""

import tensorflow as tf

__all__ = ["BATCH_AXIS", "CHANNEL_AXIS", "SPATIAL_AXES", "batch_size", "from_channel_major", "to_channel_major"]

CHANNEL_AXIS = 0
SPATIAL_AXES = (1, 2)
BATCH_AXIS = -1


def to_channel_major(x):
    """`[N, H, W, C] -> [C, H, W, N]`; of a vector event, `[N, D] -> [D, N]`."""
    return tf.transpose(x, _swap_ends(x))


def from_channel_major(x):
    """`[C, H, W, N] -> [N, H, W, C]`; of a vector event, `[D, N] -> [N, D]`."""
    return tf.transpose(x, _swap_ends(x))


def batch_size(x):
    """Number of maps of a channel-major tensor: static where it is known, else a scalar tensor."""
    return x.shape[BATCH_AXIS] if x.shape[BATCH_AXIS] is not None else tf.shape(x)[BATCH_AXIS]


def _swap_ends(x):
    axes = list(range(x.shape.rank))
    axes[0], axes[-1] = axes[-1], axes[0]
    return axes
