"""Samples of maps for the tests of diagnostics and figures."""

import numpy as np

from higlow_tf.diagnostics import MapSamples

BOX_SIZE = 25.0


def samples_of(real, generated, real_simulation=None, generated_simulation=None, **theta):
    """`MapSamples`: one map a simulation, and other simulations on either side, unless told otherwise."""
    real_simulation = np.arange(len(real)) if real_simulation is None else real_simulation
    generated_simulation = -1 - np.arange(len(generated)) if generated_simulation is None else generated_simulation
    return MapSamples.from_arrays(real, real_simulation, generated, generated_simulation, BOX_SIZE, **theta)


def paired_samples(real, generated, simulation=None, **theta):
    """`MapSamples` whose maps are of the same simulations, row by row; one map a simulation unless told otherwise."""
    simulation = np.arange(len(real)) if simulation is None else simulation
    return samples_of(real, generated, simulation, simulation, **theta)
