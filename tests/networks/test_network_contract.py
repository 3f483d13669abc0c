"""Every layer of the networks against the contract."""

import keras
import pytest
from network_cases import CASES
from network_contract import CHECKS, applies

from higlow_tf import networks

RUNS = [(name, check) for name, case in CASES.items() for check in CHECKS if applies(check, case)]


@pytest.mark.parametrize(("name", "check"), RUNS)
def test_keeps_the_contract(name, check):
    CHECKS[check](CASES[name])


def test_every_layer_has_a_case():
    exported = [getattr(networks, name) for name in networks.__all__]
    layers = {kind for kind in exported if isinstance(kind, type) and issubclass(kind, keras.layers.Layer)}
    assert {case.kind for case in CASES.values()} == layers


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("Stacked")])
def test_weights_are_stacked_over_the_steps(name):
    layer = CASES[name].build()
    assert {variable.shape[0] for variable in layer.variables} == {layer.num_steps}
