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
# # First maps
#
# A trained model draws maps of neutral hydrogen (HI) at the cosmology that you choose, and tells the cosmology of a map.
# This page needs no data and no GPU, and runs in about a minute.
#
# The model was trained on **mock maps** (particle-mesh simulations with hydrogen painted on), not on CAMELS: see its card,
# `saved_models/compact_mock/README.md`.

# %% [markdown]
# ## Install
#
# In a checkout with the package installed (`pip install .`) there is nothing to do. Elsewhere, on Colab for example, write
# the git URL of the project into `REPOSITORY`. The cell then downloads code and model, and installs the package. You need
# Python 3.11 to 3.13.

# %%
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = ""  # the git URL of the project, for Colab

if REPOSITORY:
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "higlow_tf_checkout"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "./higlow_tf_checkout"], check=True)

# %%
# %matplotlib inline

import numpy as np

import higlow_tf as hg
from higlow_tf.plotting import STYLE, plot_posterior

folders = [Path(root) / "saved_models" / "compact_mock" for root in ("..", ".", "higlow_tf_checkout")]
folder = next((folder for folder in folders if folder.is_dir()), folders[0])

model = hg.load_model(folder / "run")
model.compile(jit_compile=False)  # for a few maps, compiling would take longer than computing
print(
    f"{model.map_size}x{model.map_size} pixels, {model.count_params():,} weights, given {', '.join(model.parameters.names)}"
)

# %% [markdown]
# ## Draw maps
#
# `sample` takes one row of parameters for each map. Row i depends only on the seed and on i.

# %%
theta = np.repeat([[0.3, 0.8]], 4, axis=0)
maps = model.sample(theta, seed=0).numpy()
maps.shape, f"{maps.min():.3g} to {maps.max():.3g} (Msun/h)/(Mpc/h)^2"

# %% [markdown]
# ## Move the cosmology
#
# A map is a transformed draw of Gaussian noise. Every panel has the *same* noise, so the structures stay where they are. You see
# only what the cosmology does to them: more matter from left to right, stronger clustering from bottom to top.

# %%
omega_m, sigma_8 = [0.15, 0.25, 0.35, 0.45], [0.95, 0.8, 0.65]
theta = np.array([[x, y] for y in sigma_8 for x in omega_m])
noise = model.noise([[7, 0]] * len(theta))  # one row seed for all
maps = model.decode(noise, theta).numpy()

log10_maps = np.log10(maps)
low, high = np.percentile(log10_maps, [0.5, 99.8])
colours = {"vmin": low, "vmax": high, "cmap": STYLE.map_colours, "origin": "lower"}

figure, axes = STYLE.new_figure(len(sigma_8), len(omega_m), size_in=(8.4, 6.8))
for ax, log10_map, (x, y) in zip(axes.flat, log10_maps, theta, strict=True):
    image = ax.imshow(log10_map, **colours)
    ax.set_title(rf"$\Omega_m = {x:.2f}$, $\sigma_8 = {y:.2f}$")
    ax.set_xticks([])
    ax.set_yticks([])
figure.colorbar(image, ax=list(axes.flat), label=r"$\log_{10}$ HI surface density")
figure

# %% [markdown]
# If `ipywidgets` is installed (Colab has it), you can move the sliders:


# %%
def show(omega_m=0.3, sigma_8=0.8, seed=7):
    hi_map = model.decode(model.noise([[seed, 0]]), [[omega_m, sigma_8]]).numpy()[0]
    figure, ax = STYLE.new_figure(size_in=(4.2, 4.2))
    ax.imshow(np.log10(hi_map), **colours)
    ax.set_axis_off()
    return figure


if find_spec("ipywidgets"):
    from ipywidgets import interact

    interact(show, omega_m=(0.1, 0.5, 0.02), sigma_8=(0.6, 1.0, 0.02), seed=(0, 20))

# %% [markdown]
# ## Infer the cosmology of a map
#
# The same model gives the exact density of a map at any parameters. The posterior of the parameters follows from it. Here is
# the posterior of two maps: the model has drawn the first one itself; the second one is from a simulation that it has never
# seen.

# %%
examples = np.load(folder / "examples.npz")
drawn_at = np.array([0.35, 0.75])
drawn = model.sample(drawn_at[None], seed=1).numpy()
hi_maps = np.concatenate([drawn, examples["hi_maps"][:1]])
truth = np.stack([drawn_at, examples["theta"][0]])

posterior = hg.inference.infer(model, hi_maps)  # with the stored calibration
for name, mean, sd, true in zip(("drawn", "simulated"), posterior.mean, posterior.sd, truth, strict=True):
    numbers = [f"{m:.3f} ± {s:.3f} (true {t:.3f})" for m, s, t in zip(mean, sd, true, strict=True)]
    print(f"{name:10s} Omega_m {numbers[0]}   sigma_8 {numbers[1]}")

# %%
figure, axes = STYLE.new_figure(2, 2, size_in=(8.4, 8.0))
for column, title in enumerate(("drawn by the model", "from a simulation")):
    axes[0, column].imshow(np.log10(hi_maps[column]), **colours)
    axes[0, column].set_title(title)
    axes[0, column].set_axis_off()
    plot_posterior(axes[1, column], posterior.theta_grid[column], posterior.log_posterior[column], truth=truth[column])
figure

# %% [markdown]
# ## How far to trust it
#
# The calibration of the model is applied to the regions above. Two numbers say how good it is. They were measured on
# simulations that the model has not seen. The first is the share of true parameters inside the 68 % regions (0.68 would be
# right). The second is the mean square of the errors in units of the quoted errors (1 would be right).

# %%
card = json.loads((folder / "1" / "assets.extra" / "model_card.json").read_text())
for name, text in (
    ("coverage_68", "truths inside 68 % regions"),
    ("pull2", "mean squared error in units of the quoted one"),
):
    metric = card["metrics"][name]
    print(f"{text}: {metric['value']:.2f} ± {metric['error']:.2f}, {metric['n_simulations']} simulations")
print(f"calibration: {card['calibration']}")

# %% [markdown]
# A single map inside its region says little, and so does a single map outside: a third of the truths should be outside. For a
# map from another simulation code, or from the sky, these numbers do not hold. `infer` warns if a map is unlike those of
# training.
#
# Next: `higlow demo` trains a model of your own in minutes, and `higlow --help` is the manual. `notebooks/07_the_demo_in_python`
# does the same as the demo, call by call.
