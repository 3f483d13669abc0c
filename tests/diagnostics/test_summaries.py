"""Comparison of summaries: closed forms, error bars, floor, dropped bins."""

from dataclasses import replace

import numpy as np
import pytest
from toy_samples import samples_of

from higlow_tf.diagnostics import Summary, compare_summaries
from higlow_tf.errors import InputError, InputWarning

ROUNDING = 1e-12  # sums of a few hundred float64


def summary_of(num_maps, seed, mean=(2.0, -1.0, 5.0), sd=1.0):
    values = np.asarray(mean) + sd * np.random.default_rng(seed).normal(size=(num_maps, len(mean)))
    return Summary("height", "Height", np.arange(len(mean)) * 1.0, "bin", "height (m)", values)


def compare(real, generated, kind="difference", simulation=None, generated_simulation=None):
    """One map a simulation, other simulations on either side, unless told otherwise. The maps do not matter here."""
    maps = (np.ones((len(side.values), 2, 2)) for side in (real, generated))
    return compare_summaries(samples_of(*maps, simulation, generated_simulation), real, generated, kind=kind)


@pytest.mark.parametrize("kind", ["ratio", "difference"])
def test_deviation_is_its_definition(kind):
    real, generated = summary_of(20, seed=0), summary_of(30, seed=1, mean=(2.5, -0.5, 5.0))
    comparison = compare(real, generated, kind)
    mean, generated_mean = real.values.mean(axis=0), generated.values.mean(axis=0)
    expected = generated_mean / mean - 1 if kind == "ratio" else (generated_mean - mean) / real.values.std(axis=0)
    assert comparison.deviation == pytest.approx(expected, abs=ROUNDING)
    assert comparison.real_mean == pytest.approx(mean)
    assert comparison.generated_sd == pytest.approx(generated.values.std(axis=0))
    assert (comparison.name, comparison.label, comparison.value_label) == ("height", "Height", "height (m)")
    assert (comparison.num_real_simulations, comparison.num_generated_simulations) == (20, 30)


def test_errors_are_the_analytic_ones():
    real, generated = summary_of(300, seed=2), summary_of(150, seed=3, mean=(4.0, -2.0, 10.0))
    difference, ratio = (compare(real, generated, kind) for kind in ("difference", "ratio"))
    # The bootstrap scatters by 5 % (200 resamples), the sd of 150 numbers by 6 %; three bins.
    assert np.mean(difference.error / np.sqrt(1 / 300 + 1 / 150)) == pytest.approx(1.0, abs=0.15)
    analytic = np.sqrt(1 / 150 + 2.0**2 / 300) / np.array([2.0, 1.0, 5.0])  # the ratio is 2 in every bin
    assert np.mean(ratio.error / analytic) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("kind", ["ratio", "difference"])
def test_equal_generators_sit_at_the_floor_and_within_their_errors(kind):
    mean = 5.0 * np.ones(40)
    comparison = compare(summary_of(100, seed=4, mean=mean), summary_of(100, seed=5, mean=mean), kind)
    # 40 independent bins: the mean of abs(.) scatters by 12 %, that of squares by 22 %.
    assert np.mean(np.abs(comparison.deviation) / comparison.floor) == pytest.approx(1.0, abs=0.4)
    assert np.mean((comparison.deviation / comparison.error) ** 2) == pytest.approx(1.0, abs=0.7)


def test_maps_of_a_simulation_go_together():
    real, generated = summary_of(30, seed=6), summary_of(30, seed=7)
    by_map = compare(real, generated)
    simulation = np.repeat(np.arange(30), 9)
    copies = [replace(side, values=np.repeat(side.values, 9, axis=0)) for side in (real, generated)]
    by_simulation = compare(*copies, simulation=simulation, generated_simulation=-1 - simulation)
    # -1 - simulation reverses the order in which simulations are resampled: the error agrees but for its own scatter.
    assert by_simulation.error == pytest.approx(by_map.error, rel=0.3)
    assert by_simulation.floor == pytest.approx(by_map.floor)


def test_same_simulations_are_resampled_together():
    real = summary_of(10, seed=8)
    comparison = compare(real, real, simulation=np.arange(10), generated_simulation=np.arange(10))
    assert np.array_equal(comparison.deviation, np.zeros(3))
    assert comparison.error == pytest.approx(0.0, abs=ROUNDING)
    assert np.all(comparison.floor > 0)


@pytest.mark.parametrize(("kind", "dropped"), [("ratio", 0.0), ("ratio", 3.0), ("difference", 3.0)])
def test_bins_in_which_real_maps_agree_are_dropped(kind, dropped):
    real, generated = summary_of(10, seed=9), summary_of(10, seed=10)
    real.values[:, 1] = dropped
    comparison = compare(real, generated, kind)
    assert comparison.x.tolist() == [0.0, 2.0]
    assert len(comparison.deviation) == len(comparison.error) == len(comparison.generated_mean) == 2


def test_too_few_simulations_have_no_error_bar():
    with pytest.warns(InputWarning, match=r"compare_summaries of height: no error bar.*Received: 3"):
        comparison = compare(summary_of(3, seed=0), summary_of(3, seed=1))
    assert comparison.error is None
    assert comparison.floor is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "logarithm"}, r"kind: .*Received: 'logarithm'"),
        ({"generated": summary_of(8, seed=1, mean=(1.0, 2.0))}, r"expected height in the 3 bins.*height in 2 bins"),
        (
            {"generated": summary_of(8, seed=1, sd=np.nan)},
            r"generated: expected finite values of height\. Received: 24",
        ),
        ({"real": summary_of(8, seed=1, sd=0.0)}, r"real: .*differ from map to map.*Received: none in 3 bins"),
        ({"generated": summary_of(7, seed=1)}, r"generated: expected values of height of 8 maps\. Received: 7 rows"),
    ],
)
def test_wrong_input(change, message):
    arguments = {
        "samples": samples_of(np.ones((8, 2, 2)), np.ones((8, 2, 2))),
        "real": summary_of(8, seed=0),
        "generated": summary_of(8, seed=1),
        "kind": "difference",
    }
    with pytest.raises(InputError, match=message):
        compare_summaries(**(arguments | change))
