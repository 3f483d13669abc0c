"""A model of 16 x 16 pixels with random weights: quickly made, exported and asked."""

import numpy as np

from higlow_tf.models import ConditionalGlow

__all__ = ["tiny_model"]


def tiny_model(rng):
    """A `ConditionalGlow` that was never trained, but whose weights are not those of a start.

    Args:
        rng: NumPy generator of the weights.
    """
    model = ConditionalGlow.from_preset("tiny")
    for variable in model.trainable_variables:
        variable.assign(variable.numpy() + 0.03 * rng.standard_normal(variable.shape))
    model.map_shift.assign([6.8])
    model.map_log_scale.assign([np.log(0.45)])
    model.map_lowest.assign([5.9])
    model.map_highest.assign([7.7])
    model.compile(jit_compile=False)  # compiling takes longer than all that is asked of it
    return model
