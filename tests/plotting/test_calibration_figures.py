"""Figures of calibration and typicality say what the numbers say."""

import io

import numpy as np
import pytest

from higlow_tf.diagnostics import CoverageCurve, coverage_curve, rank_ecdf
from higlow_tf.errors import InputError
from higlow_tf.inference.typicality import Typicality
from higlow_tf.plotting import STYLE, plot_coverage, plot_predicted, plot_rank_ecdf, plot_tarp, plot_typicality


def render(figure):
    """Draws everything; warnings are errors, so that a layout that does not fit fails."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=50)
    assert picture.getvalue().startswith(b"\x89PNG")


def labels_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def levels(power, num=60):
    return np.random.default_rng(0).uniform(size=num) ** power


def test_coverage_of_several_posteriors():
    curves = {
        "raw": coverage_curve(levels(0.3), np.arange(60)),
        "calibrated": coverage_curve(levels(1.0), np.arange(60)),
    }
    figure, ax = STYLE.new_figure(size_in=(4.5, 4.5))
    assert plot_coverage(ax, curves) is ax
    assert labels_of(ax) == ["raw", "calibrated"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), curves["raw"].coverage)
    assert len(ax.collections) == 2
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx((curves["raw"].coverage + curves["raw"].error).max())
    render(figure)


def test_coverage_without_errors_has_no_band():
    _, ax = STYLE.new_figure()
    plot_coverage(ax, {"raw": CoverageCurve(np.array([0.5]), np.array([0.4]), None, 3)})
    assert len(ax.collections) == 0


@pytest.mark.parametrize("curves", [{}, dict.fromkeys("abcde")])
def test_coverage_needs_one_to_four_curves(curves):
    _, ax = STYLE.new_figure()
    with pytest.raises(InputError, match=f"one to 4 labelled curves. Received: {len(curves)}"):
        plot_coverage(ax, curves)


def test_tarp_with_its_band():
    curves = {"raw": rank_ecdf(levels(2.0), np.arange(60)), "calibrated": rank_ecdf(levels(1.0), np.arange(60))}
    figure, ax = STYLE.new_figure(size_in=(4.5, 4.5))
    assert plot_tarp(ax, curves) is ax
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), curves["raw"].ecdf)
    assert labels_of(ax)[0] == "95 % band"
    assert labels_of(ax)[2] == f"calibrated, p = {curves['calibrated'].p_value:.2g}"
    render(figure)


def test_ranks_less_the_uniform_ones():
    curves = {"Omega_m": rank_ecdf(levels(3.0), np.arange(60)), "sigma_8": rank_ecdf(levels(1.0, 40), np.arange(40))}
    figure, ax = STYLE.new_figure()
    assert plot_rank_ecdf(ax, curves, parameter_labels={"sigma_8": r"\sigma_8"}) is ax
    assert labels_of(ax)[0] == "band for 40 ranks"
    assert labels_of(ax)[1].startswith("Omega_m, p = ")
    assert labels_of(ax)[2].startswith(r"$\sigma_8$, p = ")
    difference = ax.lines[1].get_ydata()
    np.testing.assert_allclose(difference, curves["Omega_m"].ecdf - curves["Omega_m"].levels)
    assert ax.get_ylim()[1] > difference.max()
    render(figure)
    with pytest.raises(InputError, match="Received: none"):
        plot_rank_ecdf(ax, {})


def test_typicality_shows_every_feature_of_every_map():
    z = np.array([[0.5, -1.0, 2.0], [40.0, np.nan, -7.0]])
    names = ("log_prob_level_0", "latent_mean_level_1", "log10_percentile_50")
    typicality = Typicality(np.array([0.4, 0.002]), z, names, np.zeros(2))
    figure, ax = STYLE.new_figure()
    assert plot_typicality(ax, typicality, labels=["usual", "odd"]) is ax
    assert [text.get_text() for text in ax.get_xticklabels()] == [
        "log prob, level 0",
        "latent mean, level 1",
        "log10 percentile 50",
    ]
    assert labels_of(ax) == ["usual, p = 0.4", "odd, p = 0.002"]
    assert ax.get_ylim()[1] > 40
    render(figure)
    with pytest.raises(InputError, match="one for each of 2 maps. Received: 1"):
        plot_typicality(ax, typicality, labels=["usual"])


def test_predicted_quotes_its_scores():
    figure, ax = STYLE.new_figure()
    plot_predicted(ax, [0.1, 0.2, 0.3, 0.4], [0.15, 0.15, 0.35, 0.35], [0.05, 0.05, 0.05, 0.05], r"\sigma_8")
    # Errors of 0.05 and a variance of the truth of 0.0125.
    assert ax.texts[0].get_text() == "RMSE 0.050\n$R^2$ 0.80\nmean pull$^2$ 1.00"
    render(figure)
    _, ax = STYLE.new_figure()
    plot_predicted(ax, [0.1, 0.1], [0.2, 0.1], [0.0, 0.1], "x")
    assert ax.texts[0].get_text() == "RMSE 0.071"
