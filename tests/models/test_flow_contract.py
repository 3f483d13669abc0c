"""Every flow of the package against the contract."""

import pytest
from flow_cases import CASES
from flow_contract import CHECKS

import higlow_tf.models
from higlow_tf.models import MapFlow


def public_flows():
    exported = [getattr(higlow_tf.models, name) for name in higlow_tf.models.__all__]
    return {kind for kind in exported if isinstance(kind, type) and issubclass(kind, MapFlow)} - {MapFlow}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", CASES)
def test_keeps_the_contract(name, check):
    CHECKS[check](CASES[name])


def test_every_flow_has_a_case():
    assert {case.kind for case in CASES.values()} == public_flows()
