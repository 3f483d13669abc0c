"""BayesFlow as a rival: its posterior is a density over the parameters, and says something about them."""

import numpy as np
import pytest

from benchmarks.rivals.bayesflow_npe import train_bayesflow
from benchmarks.rivals.problem import Problem
from higlow_tf.data import HIMapDataset, lognormal

pytest.importorskip("bayesflow")
pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]  # of its plotting libraries


def subset(num_simulations, seed):
    theta = np.random.default_rng(seed).uniform((0.1, 0.6), (0.5, 1.0), (num_simulations, 2))
    return HIMapDataset.from_arrays(lognormal.sample(theta, 8, seed), theta)


def test_it_is_trained_within_its_time_and_answers_on_the_lattice():
    train, validation, test = (subset(number, seed) for seed, number in enumerate((400, 32, 16)))
    problem = Problem(train, validation, test, {}, "maps", "params", split_seed=0, num_symmetries=2)
    likelihoods, facts = train_bayesflow(problem, 20.0, 0, None)
    assert 1 <= facts["best_epoch"] <= facts["epochs"] <= 100
    theta_grid, log_density = likelihoods(test, None)
    assert log_density.shape == (16, 2, len(theta_grid))
    assert np.isfinite(log_density).all()
    # Most of its mass is in the prior, of -1 to 1 in both parameters: a cell of the lattice has an area of (2 / 32)**2.
    mass = np.exp(log_density[:, 1]).sum(axis=1) / 16.0**2
    assert np.all((mass > 0.3) & (mass < 1.1))
    assert np.ptp(log_density[:, 1] - log_density[:1, 1], axis=1)[1:].min() > 1e-3  # maps matter
