"""Figures of the report card: summaries, correlations, responses, single cosmologies, nearest maps, several runs."""

import io

import numpy as np
import pytest

from higlow_tf.diagnostics.nearest import NearestTraining
from higlow_tf.diagnostics.power_by_cosmology import PowerR2
from higlow_tf.diagnostics.power_correlation import CorrelationComparison
from higlow_tf.diagnostics.response import ResponseComparison
from higlow_tf.diagnostics.spread import SpreadComparison
from higlow_tf.diagnostics.summaries import SummaryComparison
from higlow_tf.errors import InputError
from higlow_tf.plotting import (
    STYLE,
    plot_correlation,
    plot_nearest,
    plot_power_by_cosmology,
    plot_ratio_of_runs,
    plot_response,
    plot_spread,
    plot_summary_comparison,
)

K = np.array([0.25, 0.5, 1.0, 2.0])


def render(figure):
    """Draws everything; warnings are errors, so that a layout that does not fit fails."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=50)
    assert picture.getvalue().startswith(b"\x89PNG")


def labels_of(ax):
    return ax.get_legend_handles_labels()[1]


def two_panels():
    return STYLE.new_figure(2, 1, height_ratios=(2, 1), share_x=True)


def a_summary(deviation=(0.1, -0.2, 0.0, 0.1), error=(0.1, 0.1, 0.1, 0.1), floor=(0.1, 0.1, 0.2, 0.1), kind="ratio"):
    real = np.array([1.0, 2.0, 3.0, 2.0])
    error, floor = (None if values is None else np.array(values) for values in (error, floor))
    return SummaryComparison(
        "peaks", "Peaks", K, "threshold (sd)", "peaks per area ((h/Mpc)^2)", real, 0.1 * real, real, 0.2 * real, kind,
        np.array(deviation), error, floor, 8, 8,
    )  # fmt: skip


def test_summary_shows_both_sides_and_the_deviation_in_symmetric_limits():
    figure, axes = two_panels()
    assert plot_summary_comparison(axes, a_summary()) is axes
    assert labels_of(axes[0]) == [r"simulated, mean $\pm$ sd over maps", r"generated, mean $\pm$ sd over maps"]
    assert axes[0].get_ylabel() == "peaks per area ((h/Mpc)^2)"
    assert axes[1].get_xlabel() == "threshold (sd)"
    assert axes[1].get_ylabel() == "generated /\nsimulated - 1"
    # The farthest point, -0.2, with its error bar of 0.1.
    assert axes[1].get_ylim() == pytest.approx((-1.15 * 0.3, 1.15 * 0.3))
    render(figure)


def test_summary_of_few_simulations_has_neither_bars_nor_band():
    figure, axes = two_panels()
    plot_summary_comparison(axes, a_summary(error=None, floor=None, kind="difference"))
    assert labels_of(axes[1]) == []
    assert axes[1].get_ylabel() == "difference\n[sd of maps]"
    assert axes[1].get_ylim() == pytest.approx((-1.15 * 0.2, 1.15 * 0.2))
    render(figure)


def test_a_noisy_bin_is_an_arrow_and_leaves_the_others_visible():
    figure, axes = two_panels()
    plot_summary_comparison(axes, a_summary(deviation=(4.0, 0.1, 0.0, 0.1), error=(6.0, 0.1, 0.1, 0.1)))
    low, high = axes[1].get_ylim()
    assert (low, high) == pytest.approx((-1.15 * 0.2, 1.15 * 0.2))
    (arrow,) = [line for line in axes[1].lines if line.get_marker() == "^" and len(line.get_xdata())]
    assert arrow.get_xdata().tolist() == [K[0]]
    assert 0 < arrow.get_ydata()[0] < high
    render(figure)


def test_correlation_has_one_scale_for_all_panels():
    real = np.eye(4)
    generated = 0.5 * np.ones((4, 4))
    comparison = CorrelationComparison(K, real, generated, generated - real, None, None, 0.1, None, None, "log10", 8, 8)
    figure, axes = STYLE.new_figure(1, 3, size_in=(10, 3.6))
    assert plot_correlation(axes, comparison) is axes
    meshes = [ax.collections[0] for ax in axes]
    assert {mesh.get_clim() for mesh in meshes} == {(-1, 1)}
    assert [ax.get_title() for ax in axes] == ["simulated", "generated", "difference"]
    assert np.asarray(meshes[2].get_array()) == pytest.approx(generated - real)
    render(figure)


def a_response(error):
    values = np.array([[1.0, 2.0, 3.0, 4.0], [3.0, 3.0, 3.0, 3.0]])
    return ResponseComparison(
        K, np.array([0.3, 0.8]), ("Omega_m", "sigma_8"), values, error, values + 1, error, np.ones((2, 4)), error, error, 8, 8
    )  # fmt: skip


@pytest.mark.parametrize("error", [None, np.full((2, 4), 0.5)])
def test_response_has_a_panel_for_each_parameter(error):
    figure, axes = STYLE.new_figure(1, 2, size_in=(9, 4))
    assert plot_response(axes, a_response(error)) is axes
    assert [r"\sigma_8" in ax.get_ylabel() for ax in axes] == [False, True]
    assert ("real against real" in labels_of(axes[0])) == (error is not None)
    render(figure)
    with pytest.raises(InputError, match=r"one for each of 2 parameters\. Received: 1 and 2"):
        plot_response(axes[:1], a_response(error))


@pytest.mark.parametrize("floor", [None, np.array([0.99, 0.98, 0.97])])
def test_cosmologies_are_ranked_by_r2(floor):
    r2 = np.array([0.9, 0.99, 0.95])
    spectra = np.zeros((3, 4))
    power_r2 = PowerR2(np.arange(3), r2, floor, 0.95, 0.9, None, None, K, spectra, spectra, "log10")
    figure, ax = STYLE.new_figure()
    assert plot_power_by_cosmology(ax, power_r2) is ax
    (points,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert points.get_ydata() == pytest.approx([0.01, 0.05, 0.1])
    assert ("simulated against simulated" in labels_of(ax)) == (floor is not None)
    render(figure)


def test_nearest_shows_the_share_of_maps_below_each_distance():
    distance = np.array([1.2, 0.4, 0.8])
    nearest = NearestTraining(np.arange(3), distance, np.arange(3), distance + 0.1, 0.9, None, 0.3, 0, False)
    figure, ax = STYLE.new_figure()
    assert plot_nearest(ax, nearest) is ax
    test_maps, generated = ax.lines
    assert generated.get_xdata().tolist() == [0.4, 0.8, 1.2]
    assert generated.get_ydata() == pytest.approx([1 / 3, 2 / 3, 1])
    assert test_maps.get_linestyle() != generated.get_linestyle()
    assert ax.get_xlim()[0] == 0
    render(figure)


def test_runs_differ_in_colour_line_and_marker():
    ratios = {f"run {i}": (1 + 0.01 * i * K, None if i else 0.01 * K) for i in range(5)}
    figure, ax = STYLE.new_figure()
    assert plot_ratio_of_runs(ax, K, ratios, floor=0.02 * K) is ax
    assert labels_of(ax) == ["real against real", *ratios]
    drawn = [container.lines[0] for container in ax.containers]
    for looks in ("get_color", "get_marker"):
        assert len({getattr(line, looks)() for line in drawn}) == len(ratios)
    # The dashes of the fifth are its own; matplotlib calls those of the second the same.
    assert len({str(line._dash_pattern) for line in drawn}) == len(ratios)
    render(figure)
    with pytest.raises(InputError, match=r"one to 5 runs\. Received: 6"):
        plot_ratio_of_runs(ax, K, ratios | {"one more": (K, None)})


def a_spread(**missing):
    known = {
        "error": np.array([0.05, 0.1]),
        "floor": np.array([0.04, 0.05]),
        "share_between": np.array([0.6, 0.1]),
        "share_between_error": np.array([0.1, 0.1]),
    }
    return SpreadComparison(
        ("median", "sd"), ("median", "sd of pixels"), np.ones(2), np.array([0.8, 1.1]), np.array([0.8, 1.1]),
        **(known | missing), degree=3, num_real_simulations=30, num_generated_simulations=30,
    )  # fmt: skip


def test_spread_shows_ratio_floor_and_share_of_each_quantity():
    figure, axes = STYLE.new_figure(1, 2)
    assert plot_spread(axes, a_spread()) is axes
    assert [text.get_text() for text in axes[0].get_yticklabels()] == ["median", "sd of pixels"]
    floors, shares = ([(bar.get_x(), bar.get_width()) for bar in ax.patches] for ax in axes)
    assert floors == [pytest.approx((0.96, 0.08)), pytest.approx((0.95, 0.1))]
    assert shares == [(0.0, 0.6), (0.0, 0.1)]
    assert labels_of(axes[0]) == ["real against real", "with bootstrap error"]
    assert axes[0].get_ylim()[0] > axes[0].get_ylim()[1]  # the first quantity on top
    render(figure)


def test_spread_of_few_simulations_has_the_ratio_alone():
    figure, axes = STYLE.new_figure(1, 2)
    plot_spread(axes, a_spread(error=None, floor=None, share_between=None, share_between_error=None))
    assert labels_of(axes[0]) == ["generated / simulated"]
    assert len(axes[0].patches) == len(axes[1].patches) == 0
    render(figure)
