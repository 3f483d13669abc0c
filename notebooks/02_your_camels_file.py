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
# # Your CAMELS file
#
# From a file of the CAMELS Multifield Dataset to a trained model: on Colab with a GPU, or on the machine that you have. You
# will
#
# 1. mount your Drive and put the file there;
# 2. look at the file before you trust it;
# 3. train with plain Keras, on all GPUs;
# 4. train again as a *run*, which survives the disconnect that Colab has in store for you.
#
# There is no file yet? Then this page makes mock maps in the layout of CAMELS, and all that follows works in the same way.
# With the mock maps it takes about five minutes on two cores.

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

import shutil

import keras
import numpy as np
import tensorflow as tf

import higlow_tf as hg
from higlow_tf.plotting import STYLE, plot_loss, plot_map_panel

SMALL = bool(os.environ.get("HIGLOW_NOTEBOOK_SMALL"))  # the smallest sizes, for tests
out = Path("your_camels_file")

# %% [markdown]
# ## 1. The file
#
# The 2D maps of CAMELS are public: one file of maps, and one small table of parameters that belongs to its suite and set.
# The page "Data" of the documentation says where they are. A file of the set LH has 15,000 maps of 256x256 pixels and takes
# 3.75 GB. Download it once, and put it into a folder of your Drive, together with its table.
#
# The next cell mounts the Drive, if this is Colab, and copies the two files to the disk of the runtime: reading them from
# the Drive again and again is slow.

# %%
FOLDER = "/content/drive/MyDrive/camels"  # where you have put the two files
MAPS, PARAMS = "Maps_HI_IllustrisTNG_LH_z=0.00.npy", "params_LH_IllustrisTNG.txt"

on_colab = "google.colab" in sys.modules
if on_colab:
    from google.colab import drive

    drive.mount("/content/drive")

have_file = (Path(FOLDER) / MAPS).is_file()
if on_colab and not have_file:
    print(f"{FOLDER} holds no {MAPS}: this goes on with mock maps, and nothing is kept on your Drive.")
if have_file:
    maps, params = (Path(shutil.copy(Path(FOLDER) / name, ".")) for name in (MAPS, PARAMS))
else:
    size = {"simulations": 20, "map_size": 16, "processes": 1} if SMALL else {"simulations": 60, "map_size": 32}
    maps, params, _ = hg.data.mock.write_mock(out / "data", seed=7, overwrite=True, **size)
print(f"{'your file' if have_file else 'mock maps'}: {maps.name}, {params.name}")

# %% [markdown]
# ## 2. Look before you train
#
# `load_cmd` reads maps and table together, and refuses what does not belong together: a table of another suite, a number of
# maps that is no multiple of the simulations, pixels that are negative or not finite. What it cannot know is whether you
# have downloaded what you wanted. So look.

# %%
map_size = 64 if have_file else None  # 256x256 pixels are averaged to 64x64; None leaves them as they are
data = hg.data.load_cmd(maps, params, map_size=map_size)
print(data)
print(f"{data.field}, set {data.set_name}, box {data.box_size_mpc_h:g} Mpc/h, pixels in {data.units}")
print(f"{data.zero_pixels} pixels are zero; {data.outside_prior().sum()} maps lie outside the prior")
print(f"also in the table: {', '.join(data.other_parameters) or 'nothing'}")

# %% [markdown]
# Zeros have no logarithm. A run replaces them by a floor, counts them, and tells you (here there may be none). If the first
# line does not say what you expected, stop here.
#
# Four maps, from low to high sigma_8, and where the simulations lie in the prior:

# %%
rows = np.argsort(data.theta[:, 1])[np.linspace(0, len(data) - 1, 4).astype(int)]
figure, axes = STYLE.new_figure(1, 4, size_in=(9.6, 2.7))
for ax, row in zip(axes, rows, strict=True):
    ax.imshow(np.log10(np.maximum(data.maps[row], 1e-3)), cmap=STYLE.map_colours, origin="lower")
    ax.set_title(rf"$\Omega_m = {data.theta[row, 0]:.2f}$, $\sigma_8 = {data.theta[row, 1]:.2f}$")
    ax.set_axis_off()
figure

# %%
figure, axes = STYLE.new_figure(1, 2, size_in=(8.4, 3.4))
axes[0].plot(*data.theta_by_simulation.T, "o", color=STYLE.real)
axes[0].set_xlabel(r"$\Omega_m$")
axes[0].set_ylabel(r"$\sigma_8$")
axes[0].set_title(f"{data.num_simulations} simulations")
log10_pixels = np.log10(data.maps[data.maps > 0])
axes[1].hist(log10_pixels, bins=80, color=STYLE.real, density=True)
axes[1].set_yscale("log")
axes[1].set_xlabel(r"$\log_{10}$ HI surface density of a pixel")
axes[1].set_title("all pixels of all maps")
figure

# %% [markdown]
# A hypercube that is evenly filled, and pixels with a long tail of bright ones: galaxies. The model works on their log10.
#
# **The split is by simulation.** The 15 maps of a simulation share one universe. If some of them were in the training and
# others in the test, the test would reward memory.

# %%
train, validation, test = data.split_by_simulation((0.7, 0.1, 0.2), seed=0)
print(*(f"{part.num_simulations} simulations, {part.num_maps} maps" for part in (train, validation, test)), sep="\n")

# %% [markdown]
# ## 3. Train with plain Keras
#
# A model is a Keras model: `compile`, `fit`, `evaluate`. Under a `MirroredStrategy` the batch is shared by all GPUs of the
# machine. With one GPU, or none, the same code runs on what there is.

# %%
gpus = tf.config.list_physical_devices("GPU")
print(f"{len(gpus)} GPUs" if gpus else "no GPU: on Colab choose one under Runtime, Change runtime type")
strategy = tf.distribute.MirroredStrategy()

if SMALL:
    preset, overrides, fit_epochs, batch_size = "tiny", {}, 1, 16
elif have_file:
    preset, overrides, fit_epochs, batch_size = "compact", {}, 10, 64
else:
    preset, overrides, fit_epochs, batch_size = "compact", {"num_levels": 3}, 6, 16

with strategy.scope():
    model = hg.ConditionalGlow.from_preset(preset, map_size=data.map_size, **overrides)
    model.initialize(train)  # scaler and a whitening start, from training maps only
    model.compile(optimizer=keras.optimizers.Adam(2e-3), jit_compile=not SMALL)
validating = validation.to_tf_evaluation(batch_size)
before = model.evaluate(validating, verbose=0, return_dict=True)["loss"]
history = model.fit(train.to_tf(batch_size), validation_data=validating, epochs=fit_epochs, shuffle=False, verbose=0)
after = history.history["val_loss"][-1]
print(f"validation loss, nats per pixel: {before:.3f} before, {after:.3f} after {fit_epochs} epochs")

# %% [markdown]
# The loss is the negative log-density of a map in nats per pixel; smaller is better. It starts well, because `initialize`
# whitens the maps: an untrained model is already a Gaussian field with the right spectrum.
#
# ## 4. Train as a run
#
# Keras alone forgets everything when the runtime goes. A **run** is a folder that does not: a checkpoint after every epoch,
# the averaged weights of the best epoch, which maps were trained on, and the learning rate's plan. The disk of a
# runtime goes with it, too, so that the folder must be copied to the Drive. This callback does it after each epoch:

# %%
run_folder = out / "run"
backup = Path(FOLDER if have_file else out / "drive") / "run"


def copy_to_drive():
    shutil.copytree(run_folder, backup, dirs_exist_ok=True)


class BackUp(keras.callbacks.Callback):
    """Copies the run to the Drive. When an epoch begins, the checkpoint of the one before is whole."""

    def on_epoch_begin(self, epoch, logs=None):
        copy_to_drive()


# %% [markdown]
# And this function begins a run, or continues it: from the folder, or from its copy on the Drive, where the finished run goes,
# too. **After a disconnect** run the cells that install, import, copy your files and define these, and then the call that
# trains. The minutes of all its calls count together. After `higlow calibrate`, copy the run again.

# %%
if SMALL:
    length, longer = {"epochs": 4}, {"epochs": 5}
elif have_file:
    length, longer = {"max_minutes": 60}, {"max_minutes": 90}
else:
    length, longer = {"max_minutes": 1.5, "epochs": 10_000}, {"max_minutes": 2}

new_run = {
    "preset": preset,
    "nuisance": "none",  # "known" learns the other columns of the table, too: better, and it takes longer
    "map_size": map_size,
    "settings": {"training.jit_compile": not SMALL} | {f"model.{name}": value for name, value in overrides.items()},
}


def train_or_continue(length, callbacks=()):
    if not run_folder.exists() and backup.exists():
        shutil.copytree(backup, run_folder)
    files = {"maps": maps, "params": params, "out": run_folder}
    if (run_folder / "checkpoints").exists():
        print("continuing")
        run = hg.runs.train(resume=True, callbacks=[BackUp(), *callbacks], **files, **length)
    else:
        print("a new run")
        run = hg.runs.train(overwrite=True, callbacks=[BackUp(), *callbacks], **files, **new_run, **length)
    copy_to_drive()
    return run


# %% [markdown]
# Now the disconnect. Colab would not ask; here a second callback pulls the plug in the third epoch, and then the
# disk of the runtime is emptied:


# %%
class PullThePlug(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


if not have_file:
    for folder in (run_folder, backup):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        train_or_continue(length, callbacks=[PullThePlug()])
    except KeyboardInterrupt:
        print("disconnected")
    shutil.rmtree(run_folder)
    print(f"left: the copy on the Drive, with {len(list((backup / 'checkpoints').iterdir()))} files of checkpoints")

# %% [markdown]
# The same call again:

# %%
run = train_or_continue(length)
epochs = run.history["epoch"].astype(int)
print(f"epochs {epochs[0]} to {epochs[-1]} without a gap: {bool((np.diff(epochs) == 1).all())}")
print(f"best validation loss: {run.history['val_loss'].min():.3f} nats per pixel, epoch {epochs[run.best_epoch]}")

# %% [markdown]
# Only the epoch that was interrupted is lost. A run that is over can be given more time by a larger number:

# %%
run = train_or_continue(longer)
figure, ax = STYLE.new_figure(size_in=(6.4, 3.4))
plot_loss(ax, run.history)
figure

# %% [markdown]
# ## 5. What came of it
#
# Above are maps of test simulations, below maps that the model has drawn at their parameters. On mocks, after two minutes,
# nobody would publish them. After the minutes of the table below, and with `nuisance="known"`, they are those of the README.

# %%
test = run.data("test")
rows = np.linspace(0, len(test) - 1, 4).astype(int)
theta = test.theta[rows]
generated = run.model.sample(theta, seed=0).numpy()
figure, axes = STYLE.new_figure(2, 4, size_in=(9.0, 4.6))
plot_map_panel(axes, test.maps[rows], generated, theta, box_size_mpc_h=test.box_size_mpc_h)
figure

# %% [markdown]
# May a file test this run? `audit_run` knows maps by their content:

# %%
audit = hg.runs.audit_run(run_folder, maps, params)
print(audit.findings)
print(audit.verdict)

# %% [markdown]
# ## How long
#
# | preset | weights, maps of 64x64 | for | minutes |
# |---|---|---|---|
# | `compact` | 0.33 M | two CPU cores | 25, for 300 simulations: all measured numbers of the README are of this length |
# | `compact` | 0.33 M | a GPU | not measured; add `"training.batch_size": 64` to the settings, and compare losses, not minutes |
# | `higlow` | 5.1 M | a GPU | not measured; begin with 120, and give more while the validation loss falls |
# | `paper` | 1.6 M | a GPU | not measured; hours |
# | `hiflow64` | 16 M | the baseline | 20 on two CPU cores |
#
# A set LH has 1000 simulations: an epoch has three times as many steps as with 300. Training ends by itself after 30 epochs
# without a better validation loss.
#
# Next: `03_infer_cosmology` infers the parameters of maps, `04_judge_an_emulator` asks whether the maps are any good.
