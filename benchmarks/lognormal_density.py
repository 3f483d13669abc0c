"""Density of a run on lognormal maps beside the exact one: `python benchmarks/lognormal_density.py RUN --maps F --params F`.

Give maps of other parameter points than those of the run. Prints nats per pixel of log10 maps, model and exact, and their gap:
the Kullback-Leibler divergence from the exact density, estimated by the maps, with its standard error over parameter points.
`--json FILE` writes the gap as a metric for the card of a published model.
"""

import argparse
from pathlib import Path

import numpy as np

from higlow_tf import load_model
from higlow_tf.data import load_cmd, lognormal
from higlow_tf.diagnostics import Metric, write_metrics
from higlow_tf.errors import InputError

_ROWS = 64


def compare(model, data):
    """The exact negative log-density, the model's, and the gap, as `Metric`s by name, in nats per pixel."""
    maps, theta = np.asarray(data.maps), data.theta
    exact = -lognormal.log_prob(maps, theta, data.box_size_mpc_h) / model.num_dimensions
    parts = range(0, len(maps), _ROWS)
    log_prob = [model.log_prob(maps[start : start + _ROWS], theta[start : start + _ROWS]).numpy() for start in parts]
    found = -np.concatenate(log_prob).astype(np.float64) / model.num_dimensions
    values = {"exact_nll_nats_per_pixel": exact, "nll_nats_per_pixel": found, "gap_to_exact_nats_per_pixel": found - exact}
    return {name: _over_simulations(value, data.simulation) for name, value in values.items()}


def _over_simulations(values, simulation):
    numbers = np.unique(simulation)
    means = np.array([values[simulation == number].mean() for number in numbers])
    return Metric(float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means))), None, len(means))


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--maps", required=True, help="lognormal maps")
    parser.add_argument("--params", required=True, help="their parameter table")
    parser.add_argument("--json", type=Path, help="file for the gap, as a metric")
    options = parser.parse_args(arguments)
    try:
        metrics = compare(load_model(options.run), load_cmd(options.maps, options.params))
        for name, metric in metrics.items():
            print(f"{name:30} {metric.value:.5f} +- {metric.error:.5f}, {metric.n_simulations} parameter points")
        if options.json is not None:
            gap = "gap_to_exact_nats_per_pixel"
            write_metrics(options.json, {gap: metrics[gap]}, overwrite=True)
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
