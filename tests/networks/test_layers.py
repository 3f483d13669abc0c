"""What Keras asks of every layer of the networks."""

import numpy as np
import pytest

from higlow_tf import networks

LAYERS = {
    "StackedActNormWeights": (networks.StackedActNormWeights, (2, 4)),
    "StackedCouplingNetwork": (networks.StackedCouplingNetwork, (2, 2, 2, 3, 2)),
    "StackedInjectorNetwork": (networks.StackedInjectorNetwork, (2, 4, 3, 2)),
    "StackedLUMatrix": (networks.StackedLUMatrix, (2, 4)),
}


def test_every_layer_is_listed():
    assert set(LAYERS) == {name for name in networks.__all__ if name.startswith("Stacked")}


@pytest.mark.parametrize("name", LAYERS)
def test_config_makes_the_same_layer(name):
    kind, arguments = LAYERS[name]
    layer = kind(*arguments, max_log_scale=0.6, dtype="float64")
    again = kind.from_config(layer.get_config())
    for made in (layer, again):
        made.build()
    assert again.get_config() == layer.get_config()
    assert layer.get_config()["max_log_scale"] == 0.6
    for one, other in zip(layer.variables, again.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("name", LAYERS)
def test_weights_are_stacked_over_the_steps(name):
    kind, arguments = LAYERS[name]
    layer = kind(*arguments, dtype="float64")
    layer.build()
    assert {variable.shape[0] for variable in layer.variables} == {2}
    assert {variable.dtype for variable in layer.trainable_variables} == {"float64"}
