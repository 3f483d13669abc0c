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
# # Infer the cosmology of a map
#
# One map of neutral hydrogen goes in, and out comes what it says about Omega_m and sigma_8: a posterior. You will
#
# 1. compute the posterior of a map whose truth you know;
# 2. check on many maps whether such posteriors deserve their name;
# 3. put 15 maps of one simulation together, and see why they do not count as 15;
# 4. feed the model maps that it should refuse;
# 5. draw the triangle plot for the paper, and write the sentence below it.
#
# The model is that of `saved_models/compact_mock`. It knows mock maps, not CAMELS. All takes about five minutes on two cores.

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

import matplotlib.pyplot as plt
import numpy as np
from getdist import plots

import higlow_tf as hg
from higlow_tf.plotting import STYLE, plot_coverage, plot_posterior, plot_rank_ecdf, plot_typicality

SMALL = bool(os.environ.get("HIGLOW_NOTEBOOK_SMALL"))  # the smallest sizes, for tests
num_together = 3 if SMALL else 15
mock = {"simulations": 4, "processes": 1} if SMALL else {"simulations": 40}
calibration = hg.evaluation.CalibrationOptions(maps_per_simulation=1 if SMALL else 2)
out = Path("infer_cosmology")

folders = [Path(root) / "saved_models" / "compact_mock" for root in ("..", ".", "higlow_tf_checkout")]
model = hg.load_model(next(folder for folder in folders if folder.is_dir()) / "run")
model.compile(jit_compile=False)

# %% [markdown]
# Maps to test it on: new mock simulations, spread over the prior, with other initial conditions than those of training.

# %%
maps, params, _ = hg.data.mock.write_mock(out / "data", seed=2026, overwrite=True, **mock)
data = hg.data.load_cmd(maps, params)
print(data)

# %% [markdown]
# ## 1. One map
#
# We take a simulation near the middle of the prior. `infer` evaluates the exact density of the map at a few points
# (Omega_m, sigma_8), puts a spline through them, and applies the calibration that is stored with the model.

# %%
middle = data.parameters.middle
distance = np.linalg.norm((data.theta_by_simulation - middle) / middle, axis=1)
simulation = int(data.simulation_indices[distance.argmin()])
chosen = data.select_simulations([simulation])
truth = chosen.theta[0]

posterior = hg.inference.infer(model, chosen.maps[:1])
for name, mean, sd, true in zip(posterior.parameters.names, posterior.mean[0], posterior.sd[0], truth, strict=True):
    print(f"{name:8s} {mean:.3f} ± {sd:.3f}   truth {true:.3f}, {abs(mean - true) / sd:.1f} sd away")
print(f"the truth lies on the edge of the {100 * posterior.hpd_level(truth[None])[0]:.0f} % region")
print(f"evaluated at {posterior.diagnostics['num_evaluations'][0]:.0f} points, each for 4 symmetric copies of the map")

# %%
figure, axes = STYLE.new_figure(1, 2, size_in=(8.4, 4.0))
axes[0].imshow(np.log10(chosen.maps[0]), cmap=STYLE.map_colours, origin="lower", extent=(0, 25, 0, 25))
axes[0].set_xlabel(r"$x$  [Mpc/$h$]")
axes[0].set_title(r"$\log_{10}$ HI")
plot_posterior(axes[1], posterior.theta_grid[0], posterior.log_posterior[0], truth=truth)
figure

# %% [markdown]
# The banana is physics: more matter and stronger clustering make maps alike in many ways, so the data know a combination of
# the two better than each.
#
# **One truth inside one region proves nothing.** A third of all truths should lie outside their 68 % regions.
#
# ## 2. Many maps: are the regions honest?
#
# For maps with known parameters one can count. `judge_calibration` computes the posteriors of many test maps, raw and
# calibrated, and counts how often a region of given mass holds the truth.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore", hg.InputWarning)  # with few simulations some errors cannot be told
    judgement = hg.evaluation.judge_calibration(model, data, options=calibration)
raw, calibrated = judgement.sets["raw_"].scores, judgement.sets[""].scores


def with_error(metric):
    return f"{metric.value:.2f}" + ("" if metric.error is None else f" ± {metric.error:.2f}")


print(f"{calibrated.num_rows} maps of {data.num_simulations} simulations")
print(f"{'':34s} {'raw':>14s} {'calibrated':>14s}")
for name, text in (
    ("coverage_68", "truths inside 68 % regions (0.68)"),
    ("coverage_95", "truths inside 95 % regions (0.95)"),
    ("pull2", "mean squared pull (1)"),
    ("information_gain_nats", "information gain, nats"),
):
    print(f"{text:34s} {with_error(raw.metrics()[name]):>14s} {with_error(calibrated.metrics()[name]):>14s}")

# %%
figure, axes = STYLE.new_figure(1, 2, size_in=(9.0, 4.2))
plot_coverage(axes[0], {"raw": raw.coverage, "calibrated": calibrated.coverage})
labels = dict(zip(data.parameters.names, data.parameters.labels, strict=True))
plot_rank_ecdf(axes[1], calibrated.ranks, parameter_labels=labels)
axes[1].set_title("calibrated")
figure

# %% [markdown]
# Left: raw posteriors lie below the diagonal. They are too sure of themselves, as those of every neural likelihood of
# thousands of pixels are. The repair multiplies the log-likelihood by a number below one, the *tempering*, which was fitted on
# other simulations. Right: the rank of the truth in each marginal should stay inside the grey band.
#
# The repair also gains information: a posterior that is sure of a wrong place is worth less than a wider one.
#
# ## 3. Fifteen maps of one simulation
#
# The slabs of a simulation share one box of initial conditions and the same nuisance parameters. Their errors are
# correlated. The calibration has measured this correlation: `combine` takes the simulation of each map, and says what the maps
# count. The wrong way, `combine="independent"`, multiplies all likelihoods.

# %%
together = chosen.select(np.arange(num_together))
joint = hg.inference.infer(model, together.maps, combine=together.simulation)
as_if = hg.inference.infer(model, together.maps, combine="independent")
print(joint.notes[0])
kinds = {"one map": posterior, f"{num_together} maps together": joint, "as if independent": as_if}
for kind, result in kinds.items():
    sd = ", ".join(f"{name} ± {value:.3f}" for name, value in zip(result.parameters.names, result.sd[0], strict=True))
    print(f"{kind:18s} {sd}; the truth at {100 * result.hpd_level(truth[None])[0]:.0f} %")

# %%
figure, axes = STYLE.new_figure(1, 3, size_in=(11.4, 4.0))
for ax, (kind, result) in zip(axes, kinds.items(), strict=True):
    plot_posterior(ax, result.theta_grid[0], result.log_posterior[0], truth=truth)
    ax.set_title(kind, pad=48)
    ax.set_xlim(data.parameters.low[0], data.parameters.high[0])
    ax.set_ylim(data.parameters.low[1], data.parameters.high[1])
figure

# %% [markdown]
# The right panel is the most convincing one, and the one not to publish. On 60 simulations, 15 maps as if independent held
# only 2 % of the truths in their raw 68 % regions (page "Posteriors" of the documentation).
#
# ## 4. Maps that it should refuse
#
# A likelihood always answers, also for a map of a cat. `infer` therefore compares each map with those of training, and warns.
# Here are four maps of the same universe, that is with the same initial conditions and parameters:
#
# - as it is;
# - simulated with **other physics** (the variant `bubbles`: local ionising sources, molecular hydrogen);
# - with **noise** of 0.1 dex a pixel, which no training map had;
# - in **other units**: in kpc in the place of Mpc.

# %%
all_parameters = np.array([*truth, 1.0, 1.0, 1.0, 1.0])  # the four others at their fiducial values
usual, other_physics = (
    hg.data.mock.simulate(all_parameters, 11, variant=variant)[0] for variant in ("uniform-background", "bubbles")
)
noisy = usual * 10 ** (0.1 * np.random.default_rng(0).normal(size=usual.shape)).astype(np.float32)
suspects = {"as it is": usual, "other physics": other_physics, "noise": noisy, "other units": usual * np.float32(1e-6)}

suspect_maps = np.stack(list(suspects.values()))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    of_suspects = hg.inference.infer(model, suspect_maps)
for warning in caught:
    print(warning.message)
for kind, mean, sd in zip(suspects, of_suspects.mean, of_suspects.sd, strict=True):
    print(f"{kind:14s} Omega_m {mean[0]:.3f} ± {sd[0]:.3f}, sigma_8 {mean[1]:.3f} ± {sd[1]:.3f}")

# %%
reference = hg.inference.TypicalityReference.from_config(model.typicality)
features, _ = hg.inference.typicality_features(model, suspect_maps[:3], of_suspects.mean[:3])
typicality = reference.score(features, of_suspects.mean[:3])
figure, ax = STYLE.new_figure(size_in=(9.0, 4.6))
plot_typicality(ax, typicality, labels=list(suspects)[:3])
figure

# %% [markdown]
# Every posterior above has small errors, also those that mean nothing. The warning is the only difference. For maps of
# another simulation code, or of the sky, a model that was trained on this one has no authority.
#
# ## 5. The figure for the paper
#
# `to_getdist` gives draws with names, labels and the edges of the prior, and getdist does the rest.

# %%
plotter = plots.get_subplot_plotter(width_inch=4.5)
plotter.triangle_plot(
    [posterior.to_getdist(0), joint.to_getdist(0)],
    filled=True,
    contour_colors=[STYLE.real, STYLE.generated],
    legend_labels=["one map", f"{num_together} maps of one simulation"],
    markers=dict(zip(posterior.parameters.names, truth, strict=True)),
)
plotter.export(str(out / "posterior.pdf"))
plt.close(plotter.fig)
plotter.fig

# %% [markdown]
# It is in `infer_cosmology/posterior.pdf`, with the truth as dashed lines.
#
# ## What to write
#
# A reader must be able to judge a posterior without running anything. These are the facts that belong into the text:

# %%
stored = joint.calibration
test_68, pull2 = calibrated.coverage_68, calibrated.metrics()["pull2"]
print(
    f"We infer {' and '.join(posterior.parameters.names)} from single HI maps with the conditional Glow of higlow_tf "
    f"{hg.__version__} (preset compact, {model.count_params():,} weights), trained on "
    f"{len(model.split['simulations']['train'])} simulations of the suite {model.split['suite']}. Simulations were split into "
    f"training, validation and test before training. The likelihood is tempered by {stored.tempering:.2f}, fitted on "
    f"{stored.label}. On {calibrated.num_rows} maps of {data.num_simulations} further simulations of the suite {data.suite}, "
    f"{with_error(test_68)} of the truths lie inside the 68 % regions, and the mean squared pull is {with_error(pull2)}. "
    f"The {num_together} maps of a simulation are combined with the correlation {stored.map_correlation:.2f}. "
    "Priors are uniform on the CAMELS box."
)

# %% [markdown]
# And the sentence that is most often missing: *the result holds for maps of these simulations; whether it holds for others was
# not tested.* If you have maps of another suite, test it, as above.
#
# Next: `04_judge_an_emulator` asks the other question, whether drawn maps are any good.
