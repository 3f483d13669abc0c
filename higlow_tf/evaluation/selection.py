"""Which of the test maps are looked at, for each thing that is measured."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.evaluation.spreading import spread_over_simulations, spread_points, spread_rows

__all__ = ["Selection", "select_maps"]

_NUM_FOR_SYMMETRY = 32


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows of the test maps, and simulations.

    Attributes:
        compared: Maps at whose parameters one map each is generated, `[M]`.
        symmetry: Maps whose density is measured after shifts and reflections.
        posteriors: Maps whose parameters are inferred; empty for none.
        cosmologies: Indices, among the simulations, of those at whose parameters many maps are generated.
    """

    compared: np.ndarray
    symmetry: np.ndarray
    posteriors: np.ndarray
    cosmologies: np.ndarray


def select_maps(test, options):
    """Spreads what is looked at evenly over maps, simulations and parameters.

    Args:
        test: `HIMapDataset` of the test maps.
        options: `EvaluationOptions`.
    """
    simulation, none = test.simulation, np.array([], int)
    points = test.parameters.normalize(test.theta_by_simulation)
    return Selection(
        compared=spread_rows(len(simulation), options.num_samples or len(simulation)),
        symmetry=spread_over_simulations(simulation, _NUM_FOR_SYMMETRY),
        posteriors=spread_over_simulations(simulation, options.num_posteriors) if options.num_posteriors else none,
        cosmologies=spread_points(points, options.num_cosmologies) if options.num_cosmologies else none,
    )
