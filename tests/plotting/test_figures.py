"""Figures say what the numbers say, and leave matplotlib as they found it."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib import colors, pyplot
from toy_samples import BOX_SIZE, paired_samples

from higlow_tf.diagnostics import compare_power, pixel_pdf
from higlow_tf.errors import InputError
from higlow_tf.plotting import (
    STYLE,
    Style,
    plot_loss,
    plot_map_panel,
    plot_maps,
    plot_pixel_pdf,
    plot_posterior,
    plot_power,
    plot_predicted,
)
from higlow_tf.plotting.posterior import hpd_log_density

LATTICE = 0.2  # log-density between neighbours of a lattice of a third of a standard deviation


def maps_of(num_maps, seed, sd=0.4, num_pixels=8):
    return 10 ** (6.5 + sd * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels)))


def render(figure):
    """Draws everything; warnings are errors, so that a layout that does not fit fails."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=50)
    assert picture.getvalue().startswith(b"\x89PNG")


def labels_of(ax):
    return ax.get_legend_handles_labels()[1]


def grid_of(num_points=41):
    axis = np.linspace(-4, 4, num_points)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def normal_log_density(grid, mean=(0.0, 0.0), sd=1.0):
    return -0.5 * np.sum(((grid - mean) / sd) ** 2, axis=1)


def test_nothing_outside_changes():
    before = dict(matplotlib.rcParams)
    figure, ax = Style(font_size=17.0).new_figure()
    plot_loss(ax, {"loss": [1.0, 0.5]}, style=Style(font_size=17.0))
    render(figure)
    assert ax.xaxis.label.get_size() == 17.0
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_maps_share_the_colours_that_the_real_ones_set():
    real, generated = maps_of(3, seed=0), maps_of(3, seed=1)
    generated[0, 0, 0], generated[1, 1, 1], generated[2, 2, 2] = 1e15, np.nan, -1.0
    figure, axes = STYLE.new_figure(2, 3, size_in=(6.0, 4.2))
    theta = np.array([[0.3, 0.8], [0.1, 0.6], [0.5, 1.0]])
    assert plot_map_panel(axes, real, generated, theta, box_size_mpc_h=BOX_SIZE) is axes
    images = [ax.images[0] for ax in axes.flat]
    limits = {(image.norm.vmin, image.norm.vmax) for image in images}
    assert len(limits) == 1
    assert max(limits)[1] < np.log10(real).max()
    assert np.asarray(images[1].get_array()) == pytest.approx(np.log10(real[1]))
    assert [image.get_array().mask.sum() for image in images] == [0, 0, 0, 0, 1, 1]
    assert images[0].get_extent() == [0, BOX_SIZE, 0, BOX_SIZE]
    assert r"\Omega_\mathrm{m} = 0.300" in axes[0, 0].get_title()
    colourbar = figure.axes[-1]
    assert r"Mpc" in colourbar.get_ylabel()
    assert images[-1].colorbar is not None
    assert images[-1].colorbar.extend == "both"
    render(figure)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generated_maps": maps_of(3, 0)}, r"Received: \(2, 2\), \(2, 8, 8\) and \(3, 8, 8\)"),
        ({"theta": np.zeros((2, 3))}, r"theta: .*\(2, 2\)\. Received: \(2, 3\)"),
        ({"real_maps": np.zeros((2, 8, 8))}, r"real_maps: expected positive pixels\. Received: none"),
    ],
)
def test_maps_wrong_input(change, message):
    _, axes = STYLE.new_figure(2, 2)
    arguments = {"real_maps": maps_of(2, 0), "generated_maps": maps_of(2, 1), "theta": np.zeros((2, 2))}
    with pytest.raises(InputError, match=message):
        plot_map_panel(axes, **(arguments | change))


@pytest.mark.parametrize("is_log10", [True, False])
def test_maps_of_one_kind_share_colours_and_label_the_outer_axes(is_log10):
    maps = maps_of(5, seed=0)
    maps[1, 1, 1], maps[2, 2, 2] = np.nan, -1.0
    figure, axes = STYLE.new_figure(2, 3, size_in=(6.0, 4.2))
    axes[1, 2].remove()
    shown = list(axes.flat)[:5]
    theta = np.tile([[0.3, 0.8]], (5, 1))
    assert plot_maps(shown, maps, theta, is_log10=is_log10, label="pixels", box_size_mpc_h=BOX_SIZE) is shown
    images = [ax.images[0] for ax in shown]
    assert len({(image.norm.vmin, image.norm.vmax) for image in images}) == 1
    expected = np.log10(maps[0]) if is_log10 else maps[0]
    assert np.asarray(images[0].get_array()) == pytest.approx(expected)
    assert [int(np.sum(image.get_array().mask)) for image in images] == [0, 1, int(is_log10), 0, 0]
    assert [bool(ax.get_xlabel()) for ax in shown] == [False, False, True, True, True]
    assert [bool(ax.get_ylabel()) for ax in shown] == [True, False, False, True, False]
    assert figure.axes[-1].get_ylabel() == "pixels"
    render(figure)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (maps_of(3, 0), r"Received: 2 axes and \(3, 8, 8\)"),
        (np.zeros((2, 8, 8)), r"maps: expected positive pixels\. Received: none"),
    ],
)
def test_maps_of_one_kind_wrong_input(maps, message):
    _, axes = STYLE.new_figure(1, 2)
    with pytest.raises(InputError, match=message):
        plot_maps(axes, maps)


def test_loss_marks_the_best_validation_and_frames_what_follows_the_start():
    history = {"wall_minutes": np.arange(40) / 2, "loss": [1e6] + [0.1] * 39, "val_loss": [1e6] + [0.5] * 38 + [0.4]}
    history["val_loss"][20] = 0.3
    history["val_loss"][30] = np.nan
    figure, ax = STYLE.new_figure()
    assert plot_loss(ax, history, against="wall_minutes") is ax
    star = ax.lines[-1]
    assert (star.get_xdata().item(), star.get_ydata().item()) == (10.0, 0.3)
    assert ax.get_ylim()[1] < 1.0
    assert "minutes" in ax.get_xlabel()
    assert "nats per pixel" in ax.get_ylabel()
    render(figure)


def test_loss_counts_epochs_from_one():
    figure, ax = STYLE.new_figure()
    plot_loss(ax, {"loss": [2.0, 1.0, 0.5]})
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert labels_of(ax) == ["training"]
    render(figure)


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        ({"loss": [1.0]}, {"against": "hours"}, "Received: 'hours'"),
        ({"loss": [1.0]}, {"against": "wall_minutes"}, r"Received: \['loss'\]"),
        ({"loss": [1.0, 2.0], "val_loss": [1.0]}, {}, r"of one length"),
        ({}, {}, r"Received: \[\]"),
        ({"loss": [np.nan]}, {}, "expected finite losses"),
    ],
)
def test_loss_wrong_input(history, options, message):
    _, ax = STYLE.new_figure()
    with pytest.raises(InputError, match=message):
        plot_loss(ax, history, **options)


@pytest.mark.parametrize("field", ["log10", "overdensity"])
def test_power_draws_ratios_and_floors(field):
    comparison = compare_power(paired_samples(maps_of(8, 0), maps_of(8, 1)), field=field)
    figure, axes = STYLE.new_figure(2, 1, height_ratios=(2, 1), share_x=True)
    assert plot_power(axes, comparison) is axes
    assert axes[0].lines[0].get_ydata() == pytest.approx(comparison.real_mean_mpc2_h2)
    assert labels_of(axes[1]) == ["floor of sd", "floor of mean", "mean", "sd"]
    low, high = axes[1].get_ylim()
    assert low < np.min([comparison.mean_ratio, comparison.sd_ratio])
    assert high > np.max([comparison.mean_ratio, comparison.sd_ratio])
    render(figure)


@pytest.mark.filterwarnings("ignore:compare_power. no error bar")
def test_power_without_error_bars():
    comparison = compare_power(paired_samples(maps_of(3, 0), maps_of(3, 1)))
    figure, axes = STYLE.new_figure(2, 1, share_x=True)
    plot_power(axes, comparison)
    assert labels_of(axes[1]) == ["mean", "sd"]
    render(figure)


def test_pdf_marks_ratios_beyond_its_panel():
    real, generated = maps_of(20, 0), maps_of(20, 1, sd=0.8)
    pdf = pixel_pdf(paired_samples(real, generated))
    figure, axes = STYLE.new_figure(2, 1, height_ratios=(2, 1), share_x=True)
    assert plot_pixel_pdf(axes, pdf) is axes
    arrows = next(line for line in axes[1].lines if line.get_marker() == "^")
    assert len(arrows.get_xdata()) == np.sum(pdf.ratio > 2) > 0
    assert axes[1].get_ylim() == (0.0, 2.0)
    low, high = axes[0].get_xlim()
    assert low < pdf.generated_extremes_log10_hi[0]
    assert high > pdf.generated_extremes_log10_hi[1]
    render(figure)


@pytest.mark.parametrize("mass", [0.68, 0.95])
def test_hpd_region_of_a_gaussian(mass):
    log_density = normal_log_density(grid_of(161))
    # Two dimensions: mass inside radius r is 1 - exp(-r**2 / 2). A lattice of 0.05 sd resolves it to 1 %.
    assert hpd_log_density(log_density, mass) == pytest.approx(np.log(1 - mass), rel=0.01)


def test_posterior_contours_truth_and_frame():
    grid = grid_of()
    figure, ax = STYLE.new_figure()
    returned = plot_posterior(
        ax,
        grid,
        normal_log_density(grid, sd=0.3) + 1e4,
        exact_log_posterior=np.where(grid[:, 0] > 0.5, -np.inf, normal_log_density(grid, sd=0.5)),
        truth=(3.0, -1.0),
    )
    assert returned is ax
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["model", "exact", "truth"]
    (low_x, high_x), (low_y, high_y) = ax.get_xlim(), ax.get_ylim()
    assert low_x < -0.9
    assert 3.0 < high_x <= 4.0
    assert -4.0 < low_y < -1.0
    assert 0.9 < high_y < 4.0
    model, exact = ax.collections[0], ax.collections[2]
    assert model.levels[:2] == pytest.approx(np.log([0.05, 0.32]), abs=LATTICE)
    assert len(exact.levels) == 2
    render(figure)


def test_posterior_in_one_point_is_still_drawn():
    grid = grid_of()
    log_posterior = np.where(np.all(grid == 0, axis=1), 0.0, -1e6)
    figure, ax = STYLE.new_figure()
    plot_posterior(ax, grid, log_posterior)
    assert any(len(path.vertices) > 0 for path in ax.collections[0].get_paths())
    render(figure)


@pytest.mark.parametrize(
    ("grid", "log_posterior", "message"),
    [
        (np.zeros((5, 3)), np.zeros(5), r"theta_grid: .*Received: \(5, 3\)"),
        (np.arange(10.0).reshape(5, 2), np.zeros(5), r"span a plane\. Received: 5 on one line"),
        (grid_of(3), np.zeros(5), r"log_posterior: .*Received: \(5,\)"),
        (grid_of(3), np.full(9, np.nan), r"finite peak\. Received: nan"),
        (grid_of(3), np.full(9, -np.inf), r"finite peak\. Received: -inf"),
    ],
)
def test_posterior_wrong_input(grid, log_posterior, message):
    _, ax = STYLE.new_figure()
    with pytest.raises(InputError, match=message):
        plot_posterior(ax, grid, log_posterior)


def test_predicted_frames_points_and_error_bars():
    figure, ax = STYLE.new_figure()
    assert plot_predicted(ax, [0.1, 0.5], [0.2, 0.4], [0.05, 0.3], r"\sigma_8") is ax
    assert ax.get_xlim() == ax.get_ylim()
    assert ax.get_ylim()[0] < 0.1
    assert ax.get_ylim()[1] > 0.7
    render(figure)
    with pytest.raises(InputError, match=r"Received: \(2,\), \(2,\) and \(1,\)"):
        plot_predicted(ax, [0.1, 0.5], [0.2, 0.4], [0.05], "x")


# Machado et al. 2009, severity 1, on linear RGB.
COLOUR_VISIONS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


@pytest.mark.parametrize("vision", COLOUR_VISIONS)
def test_colours_stay_apart_for_the_colour_blind(vision):
    def seen(colour):
        rgb = np.array(colors.to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return np.array(COLOUR_VISIONS[vision]) @ linear

    def distance(colour, neighbour):
        return np.linalg.norm(seen(colour) - seen(neighbour))

    together = [
        (STYLE.real, STYLE.generated),
        (STYLE.generated, STYLE.scatter),
        (STYLE.generated, STYLE.floor),
        (STYLE.scatter, STYLE.floor),
    ]
    # A dark red and an olive, which such eyes confuse, are much closer than that.
    assert min(distance(*pair) for pair in together) > 0.25 > 2 * distance("#A00000", "#5A5A00")


def test_the_training_loss_of_a_cut_epoch_is_left_out():
    _, ax = STYLE.new_figure()
    history = {"loss": [3.0, 2.0, 9.0], "val_loss": [3.0, 2.0, 1.5], "steps": [100, 100, 3]}
    training, validation = plot_loss(ax, history).lines[:2]
    np.testing.assert_array_equal(training.get_ydata(), [3.0, 2.0, np.nan])
    np.testing.assert_array_equal(validation.get_ydata(), [3.0, 2.0, 1.5])
