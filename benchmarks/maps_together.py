"""How good the posterior of all maps of a simulation is, with the calibration that is stored with a run.

    python -m benchmarks.maps_together RUN --maps F --params F --keep DIR [--simulations 15] [--maps-per-simulation 15]

`higlow calibrate --maps-per-simulation 15` fits the repair on all validation simulations and judges it on all test simulations:
with nuisance parameters, hours. This takes the repair that is stored, and some of the test simulations, evenly spread. DIR keeps
the likelihoods of each map, so that an interrupted call goes on, and gets posteriors.npz: mean, sd, truth and gain of each map.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.evaluation import CalibrationOptions, judge_calibration
from higlow_tf.evaluation.spreading import spread_rows
from higlow_tf.runs import open_run

__all__ = ["main"]

_INPUT_ERROR = 2


def main(arguments=None):
    """Prints the table; the exit code is 2 for wrong input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--maps", required=True)
    parser.add_argument("--params", required=True)
    parser.add_argument("--keep", required=True, help="folder of the likelihoods and of posteriors.npz")
    parser.add_argument("--simulations", type=int, default=15)
    parser.add_argument("--maps-per-simulation", type=int, default=15)
    options = parser.parse_args(arguments)
    try:
        judgement = judge(options)
        judgement.save(Path(options.keep) / "posteriors.npz")
    except InputError as error:
        print(error, file=sys.stderr)
        return _INPUT_ERROR
    headers, rows = judgement.table()
    print()
    for row in (headers, ["---"] * len(headers), *rows):
        print("| " + " | ".join(row) + " |")
    return 0


def judge(options):
    """The `Judgement` of maps of some test simulations."""
    run = open_run(options.run)
    test = some_simulations(run.data("test", maps=[options.maps], params=options.params), options.simulations)
    how = CalibrationOptions(maps_per_simulation=options.maps_per_simulation)
    return judge_calibration(run.model, test, options=how, progress=_say, cache_dir=options.keep)


def some_simulations(dataset, number):
    """At most so many simulations of a dataset, evenly spread, with all of their maps."""
    indices = dataset.simulation_indices
    return dataset.select(np.isin(dataset.simulation, indices[spread_rows(len(indices), number)]))


def _say(stage, done, total):
    print(f"{stage}: {done:g} of {total}", end="\r", flush=True)


if __name__ == "__main__":
    sys.exit(main())
