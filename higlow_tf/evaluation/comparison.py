"""Several models on the same test maps, beside each other."""

import numpy as np

from higlow_tf.diagnostics import Metric, paired_difference

__all__ = ["density_differences"]

_NAME = "nll_difference_nats_per_pixel"


def density_differences(evaluation, others):
    """Mean negative log-density of a model minus that of each other one, nats per pixel, paired over simulations.

    Args:
        evaluation: `Evaluation` of the model.
        others: `Evaluation`s of the others on the same maps, by name.

    Returns:
        Dict of the pairs (name of the metric, `Metric`) by the names of the others. The name of the first metric is the
        shortest. The names of the others end with the name of their model.
    """
    names = [_NAME if number == 0 else f"{_NAME}_{other}" for number, other in enumerate(others)]
    return {
        other: (name, _difference(evaluation, of_other))
        for name, (other, of_other) in zip(names, others.items(), strict=True)
    }


def _difference(evaluation, of_other):
    test = evaluation.test
    num_pixels = test.map_size**2 * test.num_channels
    densities = evaluation.log_prob, of_other.log_prob
    if all(np.isfinite(log_prob).all() for log_prob in densities):
        return paired_difference(*(-log_prob / num_pixels for log_prob in densities), test.simulation)
    return Metric(None, n_simulations=test.num_simulations)
