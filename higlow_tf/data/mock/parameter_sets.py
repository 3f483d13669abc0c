"""The parameters of the sets of simulations of a suite: LH, CV and 1P, as in CAMELS."""

import numpy as np

from higlow_tf.data.parameters import CAMELS_PARAMETERS, ParameterSpace
from higlow_tf.data.suite_files import DECIMALS
from higlow_tf.errors import InputError

__all__ = ["SETS", "set_parameters", "simulation_seeds"]

SETS = ("LH", "CV", "1P")

# Spawn key of the parameters of a set; those of a simulation start at 0.
_PARAMETER_STREAM = 2


def set_parameters(set_name, simulations, seed, variant):
    """Parameters of the simulations of a set.

    LH: a Latin hypercube over the CAMELS prior of all six parameters.
    CV: the fiducial point 0.3, 0.8, 1, 1, 1, 1 in each row. The simulations have different seeds.
    1P: row 0 is the fiducial point. Then one parameter after the other takes its other values, in ascending order. They are
        equally spaced from edge to edge of its prior (in the logarithm for the last four). With 61 simulations these are the
        11 values of CAMELS. All have the same seed.

    Args:
        set_name: `"LH"`, `"CV"` or `"1P"`.
        simulations: Number of simulations; for 1P, one more than a multiple of 12.
        seed: Non-negative integer.
        variant: `Variant`; LH sets of two variants share no parameters.

    Returns:
        float64 `[simulations, 6]`, rounded to five decimals.

    Raises:
        InputError: If the set is unknown, or the number of simulations does not fit it.
    """
    space = ParameterSpace.from_names(tuple(CAMELS_PARAMETERS))
    if set_name == "LH":
        stream = np.random.SeedSequence([seed, variant.number], spawn_key=(_PARAMETER_STREAM,))
        theta = space.latin_hypercube(simulations, seed=int(stream.generate_state(1, np.uint64)[0]))
    elif set_name == "CV":
        theta = np.repeat(space.denormalize(np.zeros((1, len(space)))), simulations, axis=0)
    elif set_name == "1P":
        theta = space.denormalize(_one_at_a_time(simulations, len(space)))
    else:
        raise InputError(f"Expected set_name to be one of {list(SETS)}. Received: {set_name!r}.")
    return np.round(theta, DECIMALS)


def simulation_seeds(set_name, simulations, seed, variant):
    """The seed of each simulation of a set, as `simulate` takes it. All seeds are different; in 1P all are the same."""
    rows = [0] * simulations if set_name == "1P" else range(simulations)
    return [[int(seed), variant.number, SETS.index(set_name), row] for row in rows]


def _one_at_a_time(simulations, num_parameters):
    """Rows of 1P between -1 and 1."""
    others, remainder = divmod(simulations - 1, num_parameters)
    if remainder or others % 2 or not others:
        raise InputError(
            f"Expected simulations of the set 1P to be one more than a multiple of {2 * num_parameters}: the same number "
            f"of values on both sides of the fiducial point, for each parameter. Received: {simulations}."
        )
    values = np.delete(np.linspace(-1.0, 1.0, others + 1), others // 2)
    rows = np.zeros((simulations, num_parameters))
    for parameter in range(num_parameters):
        rows[1 + parameter * others : 1 + (parameter + 1) * others, parameter] = values
    return rows
