"""An injector whose numbers have more channels than the map is refused; broadcasting would make another map of it."""

import pytest
import tensorflow as tf

from higlow_tf.bijectors import AffineInjector


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize(("channels", "is_refused"), [(1, False), (2, False), (4, True)])
def test_the_channels_of_shift_and_scale_are_those_of_the_map(direction, channels, is_refused):
    injector = AffineInjector(lambda c: (tf.zeros([channels, 1, 1, 3]), tf.zeros([1, 1, 1, 3])))
    call = getattr(injector, direction)
    x, condition = tf.zeros([3, 8, 8, 2]), tf.zeros([3, 2])
    if is_refused:
        with pytest.raises(ValueError, match="1 or 2 channels. Received: 4"):
            call(x, conditional_input=condition)
    else:
        assert call(x, conditional_input=condition).shape == x.shape
