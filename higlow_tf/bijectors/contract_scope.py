"""Of which bijectors each check of the contract says something."""

__all__ = ["INVERT_CHECKS", "applies"]

# What `tfb.Invert` can break: it hands the calls on with their sides exchanged.
INVERT_CHECKS = ("round trips", "log-dets", "condition", "distribution", "one evaluation")

_ONLY_FOR = {
    "jit": lambda case: case.is_jitted,
    "condition": lambda case: case.conditional_shape is not None,
    "permutation": lambda case: case.is_permutation,
    "gradients": lambda case: case.built("float64").weights,
    "variables unchanged": lambda case: case.built("float64").weights,
    "one evaluation": lambda case: case.built("float64").network is not None,
}


def applies(check, case):
    """Whether a check, by name, says something about a case."""
    return check not in _ONLY_FOR or bool(_ONLY_FOR[check](case))
