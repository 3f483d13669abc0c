import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import split_simulations
from higlow_tf.errors import InputError

# Made by split_simulations 0.1 from lattice(20), seed 0, in November 2026: stored runs rely on it.
GOLD_VALIDATION = [1, 11]
GOLD_TEST = [5, 8, 18, 19]


def lattice(num_simulations):
    rows = np.arange(num_simulations)
    return np.stack([(rows + 0.5) / num_simulations, rows * 0.618 % 1], axis=1)


@settings(deadline=None, max_examples=15)
@given(
    num_simulations=st.integers(10, 120),
    weights=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    num_parameters=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_subsets_have_exact_sizes_are_disjoint_and_cover_everything(num_simulations, weights, num_parameters, seed):
    theta = np.random.default_rng(seed).random((num_simulations, num_parameters))
    fractions = np.array(weights) / sum(weights)
    subsets = split_simulations(theta, fractions, seed)
    # Rounding moves each size by less than one simulation.
    assert all(abs(len(s) - num_simulations * f) < 1 for s, f in zip(subsets, fractions, strict=True))
    assert all(np.all(np.diff(subset) > 0) for subset in subsets)
    np.testing.assert_array_equal(np.sort(np.concatenate(subsets)), np.arange(num_simulations))


def test_exact_thousand():
    assert [len(s) for s in split_simulations(lattice(1000))] == [700, 100, 200]


def test_the_split_of_a_seed_never_changes():
    train, validation, test = split_simulations(lattice(20), (0.7, 0.1, 0.2), seed=0)
    np.testing.assert_array_equal(validation, GOLD_VALIDATION)
    np.testing.assert_array_equal(test, GOLD_TEST)
    assert len(train) == 14


def test_seeds_differ():
    first, second = (split_simulations(lattice(60), seed=seed)[2] for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_subsets_cover_the_plane_more_evenly_than_random_ones():
    rng = np.random.default_rng(1)
    theta = rng.random((200, 2))

    def unevenness(subset):
        counts, _, _ = np.histogram2d(*theta[subset].T, bins=4, range=[[0, 1], [0, 1]])
        expected, _, _ = np.histogram2d(*theta.T, bins=4, range=[[0, 1], [0, 1]])
        return np.sum((counts - 0.2 * expected) ** 2)

    stratified = [unevenness(split_simulations(theta, seed=seed)[2]) for seed in range(20)]
    random = [unevenness(rng.permutation(200)[:40]) for _ in range(20)]
    # Random counts scatter as Poisson numbers; strata of four simulations leave less than half of that variance.
    assert np.mean(stratified) < 0.5 * np.mean(random)


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.2, -0.2), [[0.5, 0.5]]])
def test_fractions_must_be_shares(fractions):
    with pytest.raises(InputError, match=r"sum to 1\. Received"):
        split_simulations(lattice(20), fractions)


def test_an_empty_subset_is_refused_and_a_share_of_zero_is_not():
    with pytest.raises(InputError, match=r"no subset is empty\. Received: 3 simulations"):
        split_simulations(lattice(3), (0.9, 0.05, 0.05))
    assert [len(s) for s in split_simulations(lattice(10), (0.8, 0.0, 0.2))] == [8, 0, 2]
