"""Posteriors of a run on lognormal maps beside the exact ones: shift of the mean, ratio of the widths, coverage.

Run as `python benchmarks/lognormal_posterior.py RUN --maps F --params F --count 200`, on maps of other parameter points than
those of the run. Prints, for each parameter, the rms distance of the posterior means in exact standard deviations and the
median ratio of the standard deviations; then the share of truths inside 68 % regions of both, with 95 % intervals.
"""

import argparse

import numpy as np

from higlow_tf import load_model
from higlow_tf.data import load_cmd, lognormal
from higlow_tf.errors import InputError
from higlow_tf.inference import infer


class ExactModel:
    """The lognormal suite as an object with `log_prob` and `parameters`."""

    def __init__(self, parameters, box_size_mpc_h):
        self.parameters = parameters
        self._box_size_mpc_h = box_size_mpc_h

    def log_prob(self, hi_maps, theta):
        return lognormal.log_prob(hi_maps, theta, self._box_size_mpc_h)


def compare(model, data, count):
    """Prints the comparison for the first `count` maps."""
    maps, truth = np.asarray(data.maps[:count]), data.theta[:count]
    exact = infer(ExactModel(model.parameters, data.box_size_mpc_h), maps)
    found = infer(model, maps, calibration=None)
    shift = np.sqrt(np.mean(((found.mean - exact.mean) / exact.sd) ** 2, axis=0))
    ratio = np.median(found.sd / exact.sd, axis=0)
    for name, *numbers in zip(model.parameters.names, shift, ratio, strict=True):
        print(f"{name:10} shift {numbers[0]:.3f} sd, ratio of sd {numbers[1]:.3f}")
    for label, posterior in (("model", found), ("exact", exact)):
        share = np.mean(posterior.hpd_level(truth) < 0.68)
        print(
            f"68 % regions, {label}: {share:.3f} +- {1.96 * np.sqrt(0.68 * 0.32 / len(maps)):.3f} of {len(maps)} truths"
        )


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("--maps", required=True, help="lognormal maps, one a parameter point")
    parser.add_argument("--params", required=True, help="their parameter table")
    parser.add_argument("--count", type=int, default=200, help="how many of the maps")
    arguments = parser.parse_args()
    try:
        compare(load_model(arguments.run), load_cmd(arguments.maps, arguments.params), arguments.count)
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
