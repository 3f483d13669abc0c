"""How many draws of the nuisance parameters a posterior needs: its information gain with some of them.

    python benchmarks/nuisance_draws.py RUN --maps F --params F [--count 30] [--draws 32] [--symmetries 2]

Test maps, each of another simulation. Their likelihoods are computed once, with all draws of the prior (Sobol points: any first
ones of them are a set of their own), and once with as many draws that are adapted to each map. For each row the tempering is the
best one for these maps, which favours all rows alike: the table compares them, and is no measure of the run.
"""

import argparse

import numpy as np
from scipy.optimize import minimize_scalar

from higlow_tf.evaluation.spreading import spread_over_simulations
from higlow_tf.inference.likelihood import MapLikelihood
from higlow_tf.inference.marginal_likelihood import MarginalLikelihood
from higlow_tf.inference.prior_grid import PriorGrid
from higlow_tf.inference.uniform_grid import theta_lattice_over_prior
from higlow_tf.runs import open_run

__all__ = ["best_tempering", "main"]

_POINTS_PER_AXIS = 9
_TEMPERINGS = (0.01, 2.0)


def main(arguments=None):
    """Prints a row for each number of draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--maps", required=True)
    parser.add_argument("--params", required=True)
    parser.add_argument("--count", type=int, default=30, help="maps, each of another simulation")
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--symmetries", type=int, default=2)
    options = parser.parse_args(arguments)
    run = open_run(options.run)
    test = run.data("test", maps=[options.maps], params=options.params)
    test = test.select(spread_over_simulations(test.simulation, options.count))
    marginal, of_draws = _likelihoods(run.model, test, options, "prior")
    points = theta_lattice_over_prior(marginal.parameters, _POINTS_PER_AXIS)
    truth = test.with_parameters(marginal.parameters).theta
    names = " | RMSE ".join(marginal.parameters.names)
    print(f"| draws | tempering | gain raw, nats | gain tempered, nats | raw 68 % regions hold | RMSE {names} |")
    print("|" + "---|" * (5 + len(marginal.parameters)))
    number = 1
    while number <= marginal.num_draws:
        print(_row(f"{number} of the prior", of_draws[..., :number], points, truth, marginal), flush=True)
        number *= 2
    marginal, of_draws = _likelihoods(run.model, test, options, "adapted")
    print(_row(f"{marginal.num_draws} adapted", of_draws, points, truth, marginal))


def _likelihoods(model, test, options, nuisance_draws):
    """The pair (`MarginalLikelihood`, log-likelihoods of its draws `[N, G, J]`)."""
    marginal = MarginalLikelihood(model, num_draws=options.draws, nuisance_draws=nuisance_draws)
    points = theta_lattice_over_prior(marginal.parameters, _POINTS_PER_AXIS)
    of_draws = []
    for row, hi_map in enumerate(np.asarray(test.maps)):
        of_draws.append(MapLikelihood(marginal, hi_map, row, options.symmetries).of_draws(points))
        print(f"map {row + 1} of {test.num_maps}", end="\r", flush=True)
    print()
    return marginal, np.array(of_draws)


def best_tempering(grid, truth):
    """The tempering with which maps of a `PriorGrid` gain most, and the gain of each, nats `[N]`."""
    none = np.zeros(len(grid.parameters))

    def gains(log_tempering):
        return grid.log_density_ratio(np.exp(log_tempering), none, truth)

    best = minimize_scalar(lambda x: -gains(x).mean(), bounds=np.log(_TEMPERINGS), method="bounded").x
    return np.exp(best), gains(best)


def _row(name, of_draws, points, truth, marginal):
    grid = PriorGrid(marginal.average(of_draws), points, marginal.parameters)
    none = np.zeros(len(marginal.parameters))
    best, gain = best_tempering(grid, truth)
    rmse = np.sqrt(np.mean((np.exp(grid.log_mass(best, none)) @ grid.points - truth) ** 2, axis=0))
    raw, is_inside = grid.log_density_ratio(1.0, none, truth), grid.hpd_level(grid.log_mass(1.0, none), truth) <= 0.68
    cells = [
        name,
        f"{best:.2f}",
        *(f"{values.mean():.2f} ± {values.std(ddof=1) / len(values) ** 0.5:.2f}" for values in (raw, gain, is_inside)),
        *(f"{value:.4f}" for value in rmse),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
