# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Judge an emulator
#
# "The maps look realistic." So do the maps of a bad emulator. This page makes the report card of a model from Python, and then
# turns the tables: it builds two emulators that are wrong by construction, and looks at which numbers catch them. You will see
#
# 1. the verdict of a real model, and how each line of it is to be read;
# 2. what an error and a floor are, and how both fall with the number of simulations;
# 3. a model with 20 % too much power;
# 4. a model whose maps are perfect, but of the wrong cosmology: no look at maps or mean spectra can tell;
# 5. how to judge an emulator that is not of this package.
#
# It takes about five minutes on two cores.

# %% [markdown]
# ## Install
#
# In a checkout with the package installed (`pip install .`) there is nothing to do. Elsewhere, on Colab for example, write
# the git URL of the project into `REPOSITORY`. You need Python 3.11 to 3.13.

# %%
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = ""  # the git URL of the project, for Colab

if REPOSITORY:
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "higlow_tf_checkout"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "./higlow_tf_checkout"], check=True)

# %%
# %matplotlib inline

import warnings

import numpy as np
import tensorflow as tf

import higlow_tf as hg
from higlow_tf.diagnostics import MapSamples, compare_power
from higlow_tf.plotting import STYLE, plot_map_panel, plot_pixel_pdf, plot_power, plot_power_by_cosmology, plot_response

SMALL = bool(os.environ.get("HIGLOW_NOTEBOOK_SMALL"))  # the smallest sizes, for tests
num_simulations, num_maps = (8, 40) if SMALL else (40, 240)
mock = {"processes": 1} if SMALL else {}
options = hg.evaluation.EvaluationOptions(num_samples=num_maps, num_cosmologies=0, num_posteriors=0)
out = Path("judge_an_emulator")

folders = [Path(root) / "saved_models" / "compact_mock" for root in ("..", ".", "higlow_tf_checkout")]
model = hg.load_model(next(folder for folder in folders if folder.is_dir()) / "run")
model.compile(jit_compile=False)
warnings.simplefilter("ignore", hg.InputWarning)  # of too few simulations for error bars, at the smallest sizes

# %% [markdown]
# ## Test maps
#
# Only maps of simulations that the model has never seen can judge it. These are new ones.

# %%
maps, params, _ = hg.data.mock.write_mock(out / "data", simulations=num_simulations, seed=4, overwrite=True, **mock)
test = hg.data.load_cmd(maps, params)
print(hg.runs.audit_run(next(folder for folder in folders if folder.is_dir()) / "run", maps, params).verdict)

# %% [markdown]
# ## 1. The report card
#
# `evaluate_model` draws one map at the parameters of each test map, measures both sides in the same way, and says what differs.

# %%
evaluation = hg.evaluation.evaluate_model(model, test, options)
print(evaluation.label)
print(evaluation.verdict())


def show(verdict):
    """The table of a verdict: what is judged, its value with an error, the floor, the word."""
    for row in verdict.rows:
        if row.word:
            print(f"{row.group:16s} {row.label:30.30s} {row.value:>18s}  floor {row.floor or '-':>6s}  {row.word}")


show(evaluation.verdict())

# %%
rows = np.linspace(0, len(evaluation.rows) - 1, 5).astype(int)
simulated = test.select(evaluation.rows[rows])
figure, axes = STYLE.new_figure(2, 5, size_in=(10.6, 4.4))
plot_map_panel(axes, simulated.maps, evaluation.generated[rows], simulated.theta)
figure

# %% [markdown]
# By eye they are the same. The spectra say more:

# %%
figure, axes = STYLE.new_figure(2, 1, size_in=(6.4, 5.2), height_ratios=(2, 1), share_x=True)
plot_power(axes, evaluation.statistics.powers["log10"])
figure

# %% [markdown]
# Above are mean and scatter of P(k) over maps; below are the ratios of both, generated over simulated. The error bars are
# what would change with other test simulations. The grey bands are the **floor**.
#
# ## 2. Errors and floors
#
# The floor is what simulations show among themselves: one half of them is compared with the other as if it had been generated. A
# deviation below the floor is not known to be one. Both shrink with the number of simulations, and *only* with that: more maps
# of the same simulations do not help much.

# %%
compared = test.select(evaluation.rows)
for count in (num_simulations // 4, num_simulations // 2, num_simulations):
    few = np.isin(compared.simulation, test.simulation_indices[:count])
    samples = MapSamples.from_arrays(
        compared.maps[few], compared.simulation[few], evaluation.generated[few], compared.simulation[few], 25.0
    )
    power = compare_power(samples)
    parts = [
        f"{count:3d} simulations, {few.sum():3d} maps: P(k = {power.k_h_mpc[1]:.2f}) ratio {power.mean_ratio[1]:.2f}"
    ]
    if power.mean_ratio_error is not None:
        parts.append(f"± {power.mean_ratio_error[1]:.2f}, floor {power.mean_ratio_floor[1]:.2f}")
    else:
        parts.append("no error: too few simulations")
    print(" ".join(parts))

# %% [markdown]
# A ratio of 1.1 is nothing with ten simulations, and a finding with a thousand. A paper that shows a ratio without either
# says nothing.
#
# ## 3. An emulator with too much power
#
# `evaluate_model` takes any object with the verbs of a model. This one draws maps and then stretches their fluctuations, so that
# P(k) of the log10 maps is 20 % too high on all scales:


# %%
class TooMuchPower:
    """A model whose log10 maps fluctuate too much: by sqrt(1.2) in amplitude, 1.2 in power."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def sample(self, theta, **options):
        log10_maps = np.log10(self._model.sample(theta, **options).numpy())
        mean = log10_maps.mean(axis=(1, 2), keepdims=True)
        return tf.convert_to_tensor(10 ** (mean + np.sqrt(1.2) * (log10_maps - mean)))


too_much = hg.evaluation.evaluate_model(TooMuchPower(model), test, options)
print(too_much.verdict())

# %%
figure, axes = STYLE.new_figure(2, 5, size_in=(10.6, 4.4))
plot_map_panel(axes, simulated.maps, too_much.generated[rows], simulated.theta)
figure

# %% [markdown]
# Would you have seen it? The spectrum has risen by a fifth on all scales:

# %%
figure, axes = STYLE.new_figure(2, 2, size_in=(9.6, 5.2), height_ratios=(2, 1), share_x=True)
plot_power(axes[:, 0], evaluation.statistics.powers["log10"])
plot_power(axes[:, 1], too_much.statistics.powers["log10"])
axes[0, 0].set_title("the model")
axes[0, 1].set_title("20 % too much power")
figure

# %% [markdown]
# On small scales the model had a little too little power, so that a fifth more looks *better* there: two errors cancel. A
# spectrum alone cannot tell. The pixels can: their tails are too long now (the table below has it).
#
# ## 4. An emulator that does not listen
#
# This one draws perfectly good maps, but at the parameters of *another* test map. All maps together are those of the model. So
# are their mean spectrum, their pixels, and every other statistic of the whole heap.


# %%
class Deaf(TooMuchPower):
    """A model that draws its maps in the wrong order: each has the parameters of another one."""

    def sample(self, theta, **options):
        return self._model.sample(np.asarray(theta)[::-1], **options)


deaf = hg.evaluation.evaluate_model(Deaf(model), test, options)
print(deaf.verdict())

# %% [markdown]
# Beside each other, the numbers that are off for one of the three:

# %%
verdicts = {"the model": evaluation.verdict(), "too much power": too_much.verdict(), "deaf": deaf.verdict()}
labels = list(dict.fromkeys(row.label for verdict in verdicts.values() for row in verdict.rows if row.word))
print(f"{'':34s}" + "".join(f"{kind:>16s}" for kind in verdicts))
for label in labels:
    words = [next((row.word for row in verdict.rows if row.label == label), "") for verdict in verdicts.values()]
    print(f"{label:34.34s}" + "".join(f"{word:>16s}" for word in words))

# %%
figure, axes = STYLE.new_figure(1, 3, size_in=(12.0, 3.8))
plot_power_by_cosmology(axes[0], deaf.statistics.power_r2)
plot_response(axes[1:], deaf.statistics.response)
figure

# %% [markdown]
# The mean spectrum of the deaf emulator is right. What catches it are the two questions that take the parameters seriously:
# is P(k) right *at each cosmology* (left), and does it *answer* to the parameters as simulations do (the response
# d ln P / d theta on the right: that of a deaf emulator is what chance makes of it)? An emulator without such a line in
# its paper has not been tested as one.
#
# ## 5. An emulator of another kind
#
# A GAN, a diffusion model, a table of maps: if you can draw maps at the parameters of test simulations, you can judge them. No
# model is needed, only arrays. Here the "emulator" is a Gaussian field with the spectrum of each test map, a classic:

# %%
log10_maps = np.log10(compared.maps)
phases = np.fft.rfft2(np.random.default_rng(0).normal(size=log10_maps.shape), norm="ortho")
amplitude = np.abs(np.fft.rfft2(log10_maps - log10_maps.mean(axis=(1, 2), keepdims=True), norm="ortho"))
gaussian = np.fft.irfft2(amplitude * phases / np.abs(phases), s=log10_maps.shape[1:], norm="ortho")
gaussian = 10 ** (gaussian + log10_maps.mean(axis=(1, 2), keepdims=True))

samples = MapSamples.from_arrays(compared.maps, compared.simulation, gaussian, compared.simulation, 25.0)
pdf = hg.diagnostics.pixel_pdf(samples)
auc = hg.diagnostics.classifier_test(samples)
print(f"worst bin of P(k): {np.abs(compare_power(samples).mean_ratio - 1).max():.1e} off")
print(f"area under the curve of a linear classifier: {auc.auc:.2f} (0.5: it cannot tell; 1: it always can)")

# %%
colours = {"cmap": STYLE.map_colours, "vmin": log10_maps[0].min(), "vmax": log10_maps[0].max(), "origin": "lower"}
figure, axes = STYLE.new_figure(1, 2, size_in=(7.0, 3.4))
for ax, hi_map, title in zip(axes, (compared.maps[0], gaussian[0]), ("simulated", "Gaussian, same P(k)"), strict=True):
    ax.imshow(np.log10(hi_map), **colours)
    ax.set_title(title)
    ax.set_axis_off()
figure

# %%
figure, axes = STYLE.new_figure(2, 1, size_in=(6.4, 4.6), height_ratios=(2, 1), share_x=True)
plot_pixel_pdf(axes, pdf)
figure

# %% [markdown]
# Its spectrum is exact to the last digit. It has no filaments and no galaxies. This is why a report card has more lines than one.
#
# `hg.reports.write_evaluation(evaluation, "report")` writes the page with all of this, as `higlow evaluate` does. What none of it
# proves is on the page "What none of this proves" of the documentation.
