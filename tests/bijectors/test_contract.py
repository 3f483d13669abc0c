"""Every bijector of the package against the contract."""

import pytest
from cases import CASES, inverted

import higlow_tf.bijectors
from higlow_tf.bijectors.contract import CHECKS
from higlow_tf.bijectors.contract_scope import INVERT_CHECKS, applies

# Not bijectors that could be run: the abstract base, the tuple that a 1x1 convolution is given, and the contract itself.
WITHOUT_CASE = {"OnePassBijector", "Conv1x1Kernel", "ContractError", "check_bijector"}

INVERTED = {f"Invert({name})": inverted(case) for name, case in CASES.items()}
RUNS = [(name, check) for name, case in CASES.items() for check in CHECKS if applies(check, case)]
INVERT_RUNS = [(name, check) for name, case in INVERTED.items() for check in INVERT_CHECKS if applies(check, case)]


@pytest.mark.parametrize(("name", "check"), RUNS, ids=lambda part: part.replace(" ", "-"))
def test_keeps_the_contract(name, check):
    CHECKS[check](CASES[name])


@pytest.mark.parametrize(("name", "check"), INVERT_RUNS, ids=lambda part: part.replace(" ", "-"))
def test_invert_keeps_the_contract(name, check):
    CHECKS[check](INVERTED[name])


@pytest.mark.parametrize("name", CASES)
def test_case_builds_its_kind(name):
    assert isinstance(CASES[name].built("float64").bijector, CASES[name].kind)


def test_every_bijector_has_a_case():
    covered = {case.kind.__name__ for case in CASES.values()}
    assert covered == set(higlow_tf.bijectors.__all__) - WITHOUT_CASE
