"""The spread of whole maps at fixed parameters: known variances, what theta explains, errors and floors."""

import numpy as np
import pytest
from toy_samples import BOX_SIZE, paired_samples, samples_of

from higlow_tf.diagnostics import MapSet, compare_spread
from higlow_tf.diagnostics.map_quantities import bright_log10, map_quantities
from higlow_tf.diagnostics.variance_components import VarianceComponents
from higlow_tf.errors import InputError

NUM_SIMULATIONS, MAPS_PER_SIMULATION = 60, 15
SIMULATION = np.repeat(np.arange(NUM_SIMULATIONS), MAPS_PER_SIMULATION)
THETA = np.random.default_rng(0).uniform([0.1, 0.6], [0.5, 1.0], size=(NUM_SIMULATIONS, 2))[SIMULATION]


def maps_of(simulation, theta, sd_between, sd_within, seed, num_pixels=8):
    """Noise maps whose level is a cubic of theta, plus an offset of the simulation and one of the map."""
    rng = np.random.default_rng(seed)
    of_simulation = dict(zip(np.unique(simulation), rng.normal(size=len(np.unique(simulation))), strict=True))
    offset = sd_between * np.array([of_simulation[index] for index in simulation])
    offset = offset + sd_within * rng.normal(size=len(simulation))
    level = 6.0 + 3 * theta[:, 0] + 20 * (theta[:, 1] - 0.8) ** 3
    noise = 0.1 * rng.normal(size=(len(simulation), num_pixels, num_pixels))
    return 10 ** (level[:, None, None] + offset[:, None, None] + noise - noise.mean(axis=(1, 2), keepdims=True))


def spread_of(real, generated, seed=0):
    return compare_spread(
        paired_samples(real, generated, SIMULATION, real_theta=THETA, generated_theta=THETA), seed=seed
    )


def at(comparison, name, field):
    return getattr(comparison, field)[comparison.names.index(name)]


def test_components_are_unbiased_though_a_cubic_takes_up_simulations():
    within, between = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        values = 3.0 * rng.normal(size=(NUM_SIMULATIONS, 1))[SIMULATION] + 2.0 * rng.normal(size=(len(SIMULATION), 1))
        keep = rng.random(len(SIMULATION)) < 0.6  # simulations with different numbers of maps
        components = VarianceComponents(values[keep] + 40 * THETA[keep, :1] ** 3, THETA[keep], SIMULATION[keep], "x")
        total = components.sums.sum(axis=0)[None]
        variance, share = components.variance(total)[0, 0], components.share_between(total)[0, 0]
        within.append((1 - share) * variance)
        between.append(share * variance)
    assert components.degree == 3
    # Scatter of one: 9 * sqrt(2 / 50) and 4 * sqrt(2 / 480); of the mean of a hundred a tenth of it. Without n_0 and S - F
    # the first would be 7.5.
    assert np.mean(between) == pytest.approx(9.0, abs=4 * 0.18)
    assert np.mean(within) == pytest.approx(4.0, abs=4 * 0.026)


def test_a_known_ratio_is_found_with_its_error_and_its_share():
    results = [
        spread_of(maps_of(SIMULATION, THETA, 0.2, 0.2, 10 + seed), maps_of(SIMULATION, THETA, 0.0, 0.14, 50 + seed))
        for seed in range(6)
    ]
    ratios = np.array([at(result, "median", "ratio") for result in results])
    errors = np.array([at(result, "median", "error") for result in results])
    shares = np.array([at(result, "median", "share_between") for result in results])
    share_errors = np.array([at(result, "median", "share_between_error") for result in results])
    # The median of the noise of 64 pixels adds 0.0095 to both sides.
    known = np.hypot(0.14, 0.0095) / np.hypot(np.hypot(0.2, 0.2), 0.0095)
    assert np.abs(ratios - known).max() < 4 * errors.mean()
    assert errors.mean() == pytest.approx(ratios.std(ddof=1), rel=0.8)
    assert np.abs(shares - 0.5).max() < 4 * share_errors.mean()
    assert all(at(result, "median", "floor") < 0.2 for result in results)
    assert all(result.degree == 3 for result in results)


def test_an_honest_generator_passes_though_its_maps_share_nothing():
    """The sum of both variances is compared: that a simulation's maps have an offset in common is no difference."""
    real = maps_of(SIMULATION, THETA, 0.2, 0.1, seed=1)
    generated = maps_of(np.arange(len(SIMULATION)), THETA, np.hypot(0.2, 0.1), 0.0, seed=2)
    result = spread_of(real, generated)
    deviation = np.abs(result.ratio - 1)
    assert np.all(deviation < np.maximum(3 * result.error, result.floor))


def test_what_theta_explains_is_no_spread():
    level = maps_of(SIMULATION, THETA, 0.0, 0.01, seed=3)
    result = spread_of(level, level)
    # The level runs over two decades, and after the cubic 0.01 and the noise of a median (0.0095) are left.
    assert at(result, "median", "real_sd") == pytest.approx(np.hypot(0.01, 0.0095), rel=0.15)
    assert result.ratio == pytest.approx(np.ones(len(result.names)))
    assert result.error == pytest.approx(np.zeros(len(result.names)), abs=1e-12)


def test_one_map_a_simulation_has_no_share():
    rows = np.arange(0, len(SIMULATION), MAPS_PER_SIMULATION)
    real, generated = (maps_of(SIMULATION[rows], THETA[rows], 0.3, 0.0, seed) for seed in (4, 5))
    result = compare_spread(paired_samples(real, generated, real_theta=THETA[rows], generated_theta=THETA[rows]))
    assert result.share_between is None
    assert result.share_between_error is None
    assert at(result, "median", "real_sd") == pytest.approx(0.3, abs=4 * 0.3 / np.sqrt(2 * 50))


def test_the_degree_falls_with_the_number_of_simulations():
    values = np.random.default_rng(0).normal(size=(60, 1))
    degrees = [VarianceComponents(values[:n], THETA[::15][:n], np.arange(n), "x").degree for n in (30, 29, 18, 17, 9)]
    assert degrees == [3, 2, 2, 1, 1]
    with pytest.raises(InputError, match=r"at least 9 simulations, to take out a linear function of 2.*Received: 8"):
        VarianceComponents(values[:8], THETA[::15][:8], np.arange(8), "x")
    with pytest.raises(InputError, match=r"determine a polynomial of degree 1.*Received: 12 simulations that do not"):
        VarianceComponents(values[:12], np.ones((12, 2)), np.arange(12), "x")


def test_quantities_are_what_they_say():
    u = np.random.default_rng(0).normal(7.5, 0.6, size=(3, 8, 8))
    map_set = MapSet(10**u, np.arange(3), BOX_SIZE)
    quantities = map_quantities(map_set, bright=8.0)
    values = dict(zip(quantities.names, quantities.values.T, strict=True))
    first = u[0]
    assert values["bright_area"][0] == np.mean(first > 8)
    assert values["percentile_90"][0] == pytest.approx(np.percentile(first, 90))
    assert (values["median"][0], values["sd"][0]) == pytest.approx((np.median(first), first.std()))
    steps = [
        (first[i, j] - first[(i + di) % 8, (j + dj) % 8]) ** 2
        for i in range(8) for j in range(8) for di, dj in ((1, 0), (0, 1))
    ]  # fmt: skip
    assert values["gradient"][0] == pytest.approx(np.mean(steps))
    assert values["ln_power_2"] == pytest.approx(np.log(map_set.power("log10").power_mpc2_h2[:, 1]))
    assert len(quantities.labels) == len(quantities.names) == 8


@pytest.mark.parametrize(("level", "is_eight"), [(7.2, True), (5.0, False), (9.0, False)])
def test_bright_is_eight_where_that_means_something(level, is_eight):
    u = np.random.default_rng(0).normal(level, 0.5, size=(20, 16, 16))
    bright = bright_log10(samples_of(10**u, 10**u))
    assert (bright == 8.0) is is_eight
    assert is_eight or np.mean(u > bright) == pytest.approx(0.025, abs=0.001)


def test_what_cannot_be_measured_is_said():
    maps = maps_of(SIMULATION, THETA, 0.1, 0.1, seed=6)
    with pytest.raises(InputError, match=r"real_theta: expected the parameters of each map\. Received: None"):
        compare_spread(paired_samples(maps, maps, SIMULATION))
    few = SIMULATION < 8
    theta = {"real_theta": THETA[few], "generated_theta": THETA[few]}
    with pytest.raises(InputError, match=r"real_simulation: expected at least 9 simulations.*Received: 8"):
        compare_spread(paired_samples(maps[few], maps[few], SIMULATION[few], **theta))
    constant = np.broadcast_to(maps[:, :1, :1], maps.shape)
    with pytest.raises(InputError, match="generated_maps: expected maps that fluctuate on every scale"):
        spread_of(maps, constant)
