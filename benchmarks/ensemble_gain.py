"""What several flows bring to posteriors, beside several copies of the map: the mean of their log-likelihoods.

    python -m benchmarks.ensemble_gain RUN [RUN ...] --maps F --params F --keep DIR
                                      [--part train] [--count 60] [--draws 16] [--nuisance-draws prior] [--symmetries 2]

Flows: the runs that are named, or all of an ensemble if one run is. Test maps of the first run, each of another simulation; with
--part train those of training, which says whether a flow is over-fitted. The likelihoods of each flow are computed once, at 8 x 8
points of the prior with each draw of the nuisance parameters, and kept in DIR. A row is the mean over all choices of so many
flows: the information gain raw, and with the tempering that is best for these maps (which favours all rows alike: the table
compares them, and is no measure of a run); the coverage of raw 68 % regions; and the tempered gain less that of the first row,
map by map.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

from benchmarks.nuisance_draws import best_tempering
from higlow_tf.evaluation.spreading import spread_over_simulations
from higlow_tf.inference import ensemble_of, num_flows_of, theta_lattice_over_prior
from higlow_tf.inference.cache import AnswerCache
from higlow_tf.inference.likelihood import MapLikelihood
from higlow_tf.inference.marginal_likelihood import NUISANCE_DRAWS, MarginalLikelihood
from higlow_tf.inference.prior_grid import PriorGrid
from higlow_tf.runs import open_run

__all__ = ["main"]

_POINTS_PER_AXIS = 8
_LEVEL = 0.68


def main(arguments=None):
    """Prints a row for each number of flows and copies."""
    options = _parser().parse_args(arguments)
    runs = [open_run(path) for path in options.runs]
    test = runs[0].data(options.part, maps=[options.maps], params=options.params)
    test = test.select(spread_over_simulations(test.simulation, options.count))
    models = [run.model for run in runs]
    if len(models) == 1:
        models = list(getattr(ensemble_of(models[0], num_flows_of(models[0])), "flows", models))
    marginal = _marginal(models[0], options)
    points = theta_lattice_over_prior(marginal.parameters, _POINTS_PER_AXIS)
    names = [run.path.name for run in runs] if len(runs) > 1 else [f"flow_{n + 1}" for n in range(len(models))]
    tables = [_likelihoods(model, test, points, options) for model in models]
    truth = test.with_parameters(marginal.parameters).theta
    for name, table in zip(names, tables, strict=True):
        print(f"{name}: " + _words(_scores(table.mean(axis=1), points, truth, marginal)))
    print(
        "| flows | copies | tempering | gain raw | gain tempered | raw 68 % regions hold | tempered gain less row 1 |"
    )
    print("|" + "---|" * 7)
    first = None
    for copies in sorted({1, options.symmetries}):
        for number in range(1, len(models) + 1):
            scores = [
                _scores(np.mean([tables[i][:, :copies].mean(axis=1) for i in chosen], axis=0), points, truth, marginal)
                for chosen in itertools.combinations(range(len(models)), number)
            ]
            mean = [np.mean([score[part] for score in scores], axis=0) for part in range(4)]
            first = mean if first is None else first
            print(
                f"| {number} | {copies} | " + " | ".join([*_cells(mean), _with_error(mean[2] - first[2])]) + " |",
                flush=True,
            )


def _likelihoods(model, test, points, options):
    """Log-likelihoods of a flow, `[N, T, G, J]`; those of a map are kept."""
    marginal = _marginal(model, options)
    cache = AnswerCache(options.keep, model)
    settings = [marginal.to_config(), _POINTS_PER_AXIS, options.symmetries]
    table = []
    for row, hi_map in enumerate(np.asarray(test.maps)):

        def compute(hi_map=hi_map, row=row):
            return MapLikelihood(marginal, hi_map, row, options.symmetries).of_copies(points)

        table.append(cache.array("likelihoods_of_draws", [settings, hi_map], compute))
        print(f"map {row + 1} of {test.num_maps}", end="\r", flush=True)
    print()
    return np.stack(table)


def _marginal(model, options):
    return MarginalLikelihood(model, num_draws=options.draws, nuisance_draws=options.nuisance_draws)


def _scores(of_draws, points, truth, marginal):
    """Best tempering, raw and tempered gains `[N]`, and whether raw regions hold the truth `[N]`; of `[N, G, J]`."""
    grid = PriorGrid(marginal.average(of_draws), points, marginal.parameters)
    best, tempered = best_tempering(grid, truth)
    none = np.zeros(len(marginal.parameters))
    is_inside = grid.hpd_level(grid.log_mass(1.0, none), truth) <= _LEVEL
    return best, grid.log_density_ratio(1.0, none, truth), tempered, is_inside.astype(float)


def _cells(scores):
    return [f"{scores[0]:.2f}", *map(_with_error, scores[1:])]


def _words(scores):
    tempering, raw, tempered, coverage = _cells(scores)
    return f"tempering {tempering}, gain raw {raw}, tempered {tempered}, coverage {coverage}"


def _with_error(values):
    return f"{values.mean():.3f} ± {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def _parser():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--maps", required=True)
    parser.add_argument("--params", required=True)
    parser.add_argument("--keep", type=Path, required=True, metavar="DIR", help="folder for the likelihoods")
    parser.add_argument("--part", choices=("test", "train"), default="test", help="simulations of the split")
    parser.add_argument("--count", type=int, default=60, help="maps, each of another simulation")
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--nuisance-draws", choices=NUISANCE_DRAWS, default="adapted", help="where the draws come from")
    parser.add_argument("--symmetries", type=int, default=2)
    return parser


if __name__ == "__main__":
    main()
