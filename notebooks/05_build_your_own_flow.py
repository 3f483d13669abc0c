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
# # Build your own flow
#
# How good is a normalizing flow? Usually nobody knows: of real images there are only samples, and a flow that looks
# right can be wrong in ways that no eye sees. On this page nothing can hide. The images are **Gaussian random
# fields**, the one kind of image whose exact density can be written down in a line. Every number of every flow is
# compared with the truth, and so are its posteriors.
#
# On the way you use this package as a library, without hydrogen and without its command line:
#
# 1. bijectors in a plain distribution of TensorFlow Probability,
# 2. a conditional Glow for images with three parameters and negative pixels,
# 3. a bijector of your own, with the test that every bijector here must pass,
# 4. a flow of your own, which needs a fraction of the weights because it knows some physics.
#
# It runs in a few minutes on a laptop (two minutes of one core), and needs no data.

# %% [markdown]
# ## Install
#
# In a checkout with the package installed (`pip install .`) there is nothing to do. Elsewhere, on Colab for example,
# write the git URL of the project into `REPOSITORY`. You need Python 3.11 to 3.13.

# %%
import os
import subprocess
import sys

REPOSITORY = ""  # the git URL of the project, for Colab

if REPOSITORY:
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", REPOSITORY, "higlow_tf_checkout"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "./higlow_tf_checkout"], check=True)

# %%
# %matplotlib inline

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import higlow_tf as hg
from higlow_tf.bijectors import AffineInjector, ConditionalChain, HartleyTransform, IsotropicFilter
from higlow_tf.plotting import STYLE

# %%
# Small numbers are for a quick look; the comparison with the exact density needs the others.
is_small = bool(os.environ.get("HIGLOW_NOTEBOOK_SMALL"))
map_size = 16
num_fields = 400 if is_small else 4000
glow_epochs = 2 if is_small else 20
own_epochs = 3 if is_small else 20
num_posteriors = 1 if is_small else 3

# %% [markdown]
# ## Fields whose density is known
#
# White noise, filtered. In Fourier space every wave is an independent Gaussian number with the variance
#
#     P(k) = amplitude**2 * k**tilt
#
# and a constant, the `mean`, is added. That makes three parameters. A steep tilt gives smooth, cloudy fields, a flat
# one gives grainy ones. The density is the product of the Gaussians of all waves: `exact_log_prob` has four lines.

# %%
along_axis = np.fft.fftfreq(map_size, 1.0 / map_size)
wave_number = np.maximum(np.hypot(along_axis[:, None], along_axis[None, :]), 1.0)

parameters = [
    hg.data.ParameterSpec("amplitude", "A", 0.5, 2.0, transform="log"),
    hg.data.ParameterSpec("tilt", low=-3.0, high=-1.0),
    hg.data.ParameterSpec("mean", r"\mu", -1.0, 1.0),
]
space = hg.data.ParameterSpace(tuple(parameters))


def power(theta):
    amplitude, tilt, _ = np.transpose(theta)[..., None, None]
    return amplitude**2 * wave_number**tilt


def draw_fields(theta, seed):
    white = np.random.default_rng(seed).standard_normal((len(theta), map_size, map_size))
    waves = np.fft.fft2(white, norm="ortho") * np.sqrt(power(theta))
    return np.fft.ifft2(waves, norm="ortho").real + theta[:, 2, None, None]


def exact_log_prob(fields, theta):
    waves = np.fft.fft2(np.asarray(fields, np.float64) - theta[:, 2, None, None], norm="ortho")
    variance = power(theta)
    return -0.5 * np.sum(np.abs(waves) ** 2 / variance + np.log(2.0 * np.pi * variance), axis=(1, 2))


theta = space.sample_uniform(num_fields, seed=0)
fields = draw_fields(theta, seed=1)


# %%
def show(rows, titles):
    """Rows of fields in one colour scale, which is symmetric about zero."""
    highest = max(np.abs(row).max() for row in rows)
    figure, axes = STYLE.new_figure(len(rows), len(rows[0]), size_in=(1.75 * len(rows[0]), 2.0 * len(rows)))
    for ax, field, title in zip(np.ravel(axes), np.concatenate(rows), titles, strict=True):
        ax.imshow(field, vmin=-highest, vmax=highest, cmap="RdBu_r", origin="lower")
        ax.set_title(title)
        ax.set_xticks([])
        ax.set_yticks([])
    return figure


corners = np.array([[1.5, -3.0, 0.0], [1.5, -2.0, 0.0], [1.5, -1.0, 0.0], [0.5, -2.0, 0.5], [2.0, -2.0, -0.5]])
names_of_corners = [f"A {a:g}, mean {m:g}\ntilt {t:g}" for a, t, m in corners]
show([draw_fields(corners, seed=2)], names_of_corners)

# %% [markdown]
# ## Bijectors, and nothing else
#
# "White noise, filtered" is already a normalizing flow: a `HartleyTransform` (a Fourier transform with real numbers)
# and an `IsotropicFilter`. Bijectors of this package are bijectors of TensorFlow Probability. They go into its
# `TransformedDistribution`, here at one fixed point of the parameters. The two log-densities agree to rounding
# errors.

# %%
point = np.array([[1.0, -2.0, 0.0]])
log_transfer = 0.5 * np.log(power(point))  # [1, H, W]: one channel
filtered = ConditionalChain([IsotropicFilter(lambda: tf.constant(log_transfer)), HartleyTransform()])
white = tfp.distributions.Sample(tfp.distributions.Normal(np.float64(0.0), 1.0), [map_size, map_size, 1])
gaussian_field = tfp.distributions.TransformedDistribution(white, filtered)

drawn = gaussian_field.sample(3, seed=(0, 0))[..., 0].numpy()
by_bijectors = gaussian_field.log_prob(drawn[..., None]).numpy()
exact = exact_log_prob(drawn, np.repeat(point, 3, axis=0))
print("by bijectors:", by_bijectors)
print("exact:       ", exact)
print(f"largest difference: {np.abs(by_bijectors - exact).max():.1e} nats")

# %% [markdown]
# ## A conditional Glow
#
# Now pretend that you do not know how the fields were made. A Glow is told the three parameters and sees the pixels.
# `map_transform="identity"` says that the pixels themselves are modelled (for maps of hydrogen it would be their
# logarithm, and a negative pixel has none). The density is then that of the field, in nats.
#
# One field a point of the parameters: each is a "simulation" of its own, and the split keeps test fields out of
# training.

# %%
data = hg.data.HIMapDataset.from_arrays(fields, theta, parameters=parameters, map_transform="identity")
train, validation, test = data.split_by_simulation((0.7, 0.1, 0.2), seed=0)

glow = hg.ConditionalGlow(
    map_size, parameters=parameters, map_transform="identity", num_steps_per_level=4, width=16, use_map_mean=True
)
glow.initialize(train)  # scaler and a whitening start, from training fields only
print(f"{glow.num_levels} levels of {glow.num_steps_per_level} steps, {glow.count_params():,} weights")


def fit(model, epochs, rate, batch_size=32):
    """Trains as Keras does, with a rate that falls to zero, and returns the validation loss after each epoch."""
    num_steps = epochs * (train.num_maps // batch_size)
    model.compile(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, num_steps)))
    history = model.fit(
        train.to_tf(batch_size),
        validation_data=validation.to_tf_evaluation(batch_size),
        epochs=epochs,
        shuffle=False,  # `to_tf` shuffles
        verbose=0,
    )
    return history.history["val_loss"]


glow_loss = fit(glow, glow_epochs, 4e-3)

# %% [markdown]
# Usually a loss curve has no zero: nobody knows how low it could go. Here the dashed line is the exact density of the
# same fields, and no model in the world can be better on average.

# %%
num_pixels = map_size**2
best_loss = -exact_log_prob(validation.maps, validation.theta).mean() / num_pixels

figure, ax = STYLE.new_figure(size_in=(5.2, 3.2))
ax.plot(np.arange(1, glow_epochs + 1), glow_loss, marker="o", color=STYLE.generated, label="Glow")
ax.axhline(best_loss, color=STYLE.real, linestyle="--", label="exact density")
ax.xaxis.get_major_locator().set_params(integer=True)
ax.set_xlabel("epoch")
ax.set_ylabel("validation loss, nats per pixel")
ax.legend()
figure

# %% [markdown]
# ## Is its density right?
#
# Field by field, on fields that it has never seen. The gap between the exact and the modelled log-density, averaged,
# is the Kullback-Leibler divergence: what the model has not understood, in nats.


# %%
def gap(model):
    """Exact minus modelled log-density of each test field, nats."""
    return exact_log_prob(test.maps, test.theta) - model.log_prob(test.maps, test.theta).numpy()


def describe(name, model):
    nats = gap(model)
    error = nats.std() / np.sqrt(len(nats))
    print(f"{name:10s} {nats.mean():7.2f} ± {error:.2f} nats a field of {num_pixels} pixels short of the exact density")


describe("Glow", glow)

figure, ax = STYLE.new_figure(size_in=(5.2, 3.2))
ax.plot(exact_log_prob(test.maps, test.theta), gap(glow), ".", color=STYLE.generated, markersize=3)
ax.axhline(0.0, color=STYLE.real, linestyle="--")
ax.set_xlabel("exact log-density, nats")
ax.set_ylabel("exact minus Glow, nats")
figure

# %% [markdown]
# ## Does it draw the right fields?
#
# Above fields of the recipe, below fields that the Glow draws at the same parameters. Look at the grain from left to
# right. The eye finds no fault; the power spectrum of many draws is a sharper judge.

# %%
drawn = glow.sample(corners, seed=3).numpy()
show([draw_fields(corners, seed=2), drawn], names_of_corners + ["drawn by the Glow"] * len(corners))

# %%
num_draws = 64 if is_small else 512
at = np.repeat([[1.0, -2.0, 0.0]], num_draws, axis=0)
waves = np.fft.fft2(glow.sample(at, seed=4).numpy(), norm="ortho")
ring = np.rint(wave_number).astype(int)
rings = np.arange(1, map_size // 2 + 1)
measured = np.array([np.mean(np.abs(waves[:, ring == number]) ** 2) for number in rings])
expected = np.array([power(at[:1])[0][ring == number].mean() for number in rings])

figure, ax = STYLE.new_figure(size_in=(5.2, 3.2))
ax.loglog(rings, expected, color=STYLE.real, label="exact")
ax.loglog(rings, measured, "o", color=STYLE.generated, label="drawn by the Glow")
ax.set_xticks(rings, rings)
ax.minorticks_off()
ax.set_xlabel("k, waves a side")
ax.set_ylabel("P(k)")
ax.legend()
figure

# %% [markdown]
# ## Posteriors
#
# Bayes' theorem turns the density into a posterior of the parameters of a field. `infer` takes any object with
# `log_prob` and `parameters`, and so the exact density goes into the same function: five lines, and there is a ground
# truth.


# %%
class ExactField:
    parameters = space

    def log_prob(self, fields, theta):
        return exact_log_prob(fields, np.asarray(theta))


def posteriors(model):
    """Of the first test fields, by importance sampling."""
    return hg.inference.infer(
        model, test.maps[:num_posteriors], method="importance", num_draws=1000 if is_small else 4096
    )


def compare(by_name, row=0):
    """Marginal distributions of each parameter for one field."""
    figure, axes = STYLE.new_figure(1, 3, size_in=(9.0, 2.8))
    colours = (STYLE.real, STYLE.generated, STYLE.scatter)
    for index, (ax, spec) in enumerate(zip(axes, parameters, strict=True)):
        for (name, posterior), colour in zip(by_name.items(), colours, strict=False):
            draws = posterior.sample(row, 20_000, seed=0)[:, index]
            ax.hist(draws, bins=30, density=True, histtype="step", color=colour, label=name)
        ax.axvline(test.theta[row, index], color="black", linestyle=":")
        ax.set_xlabel(f"${spec.label}$" if spec.label != spec.name else spec.name)
        ax.set_yticks([])
    axes[0].legend()
    return figure


results = {"exact": posteriors(ExactField()), "Glow": posteriors(glow)}
for name, posterior in results.items():
    numbers = [f"{m:.3f} ± {s:.3f}" for m, s in zip(posterior.mean[0], posterior.sd[0], strict=True)]
    print(f"{name:10s} amplitude {numbers[0]}   tilt {numbers[1]}   mean {numbers[2]}")
print(
    f"{'truth':10s} amplitude {test.theta[0, 0]:.3f}           tilt {test.theta[0, 1]:.3f}           mean {test.theta[0, 2]:.3f}"
)
compare(results)

# %% [markdown]
# ## A bijector of your own
#
# The Glow had to find out by itself that the fields are filtered noise. You know it. So tell the flow: a filter whose
# factors depend on the parameters.
#
# A bijector derives from `OnePassBijector` and writes two methods, one a direction, each with its log-determinant.
# Inside the flow, maps are `[C, H, W, N]`: the batch comes last. It owns no weights; it is given a function that
# returns them.


# %%
class ConditionalFilter(hg.bijectors.OnePassBijector):
    """y = x * exp(log_amplitude(condition)), for the coefficients of waves."""

    def __init__(self, log_amplitude_fn, name="conditional_filter"):
        parameters = dict(locals())  # lets `copy` make it anew
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._log_amplitude_fn = log_amplitude_fn  # [N, P] -> [1, H, W, N]

    def forward_and_log_det(self, x, conditional_input=None):
        log_amplitude = self._log_amplitude_fn(conditional_input)
        return x * tf.exp(log_amplitude), x.shape[0] * tf.reduce_sum(log_amplitude, axis=(0, 1, 2))

    def inverse_and_log_det(self, y, conditional_input=None):
        log_amplitude = self._log_amplitude_fn(conditional_input)
        return y * tf.exp(-log_amplitude), -y.shape[0] * tf.reduce_sum(log_amplitude, axis=(0, 1, 2))


# %% [markdown]
# Is it right? `check_bijector` asks everything that the bijectors of this package are asked: both round trips,
# log-determinants against autodiff, batches of any shape, compilation, gradients. Silence is good news. A broken one,
# with the sign of one log-determinant wrong, is caught.


# %%
def random_filter(kind, dtype):
    weight = tf.Variable(np.random.default_rng(0).normal(size=(3, 16)), dtype=dtype)

    def log_amplitude(condition):
        return tf.reshape(tf.transpose(condition @ weight), [1, 4, 4, -1])

    return kind(log_amplitude), [weight]


class BrokenFilter(ConditionalFilter):
    def forward_and_log_det(self, x, conditional_input=None):
        y, fldj = super().forward_and_log_det(x, conditional_input)
        return y, -fldj


hg.bijectors.check_bijector(lambda dtype: random_filter(ConditionalFilter, dtype), (4, 4, 1), conditional_shape=(3,))
try:
    hg.bijectors.check_bijector(lambda dtype: random_filter(BrokenFilter, dtype), (4, 4, 1), conditional_shape=(3,))
except hg.bijectors.ContractError as error:
    print("caught:", error)

# %% [markdown]
# ## A flow of your own
#
# A flow is a subclass of `hg.models.MapFlow`. It makes its Keras layers, wires them into one bijector between noise
# and map, and says what shape its latents have. Here a small network reads the amplitude of every wave off the
# parameters. It is never told that the spectrum is a power law.


# %%
class Spectrum(keras.layers.Layer):
    """Log-amplitude of the waves and the mean of the map, from the condition."""

    def __init__(self, map_size, num_parameters, width, **kwargs):
        super().__init__(**kwargs)
        lengths, wave = np.unique(hg.networks.wave_numbers(map_size).round(6), return_inverse=True)
        self.wave = wave.reshape(map_size, map_size)  # which of the K lengths each wave has
        self.sizes = num_parameters, width, 1 + len(lengths)

    def build(self, input_shape=None):
        num_inputs, width, num_outputs = self.sizes
        self.hidden = self.add_weight(name="hidden", shape=(num_inputs, width), initializer="glorot_normal")
        self.readout = self.add_weight(name="readout", shape=(width, num_outputs), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(num_outputs,), initializer="zeros")

    def numbers(self, condition):
        hidden = tf.tanh(condition @ self.hidden.value)
        return tf.transpose(hidden @ self.readout.value + self.bias.value)  # [K + 1, N]

    def log_amplitude(self, condition):
        return tf.gather(self.numbers(condition)[1:], self.wave)[None]  # [1, H, W, N]

    def shift_and_log_scale(self, condition):
        shift = self.numbers(condition)[:1][None, None]  # [1, 1, 1, N]
        return shift, tf.zeros_like(shift)


@keras.saving.register_keras_serializable(package="notebook")
class GaussianField(hg.models.MapFlow):
    """A Gaussian random field with a learned power spectrum."""

    title, presets = "Gaussian random field", {}

    def __init__(
        self,
        map_size,
        num_channels=1,
        parameters=("Omega_m", "sigma_8"),
        *,
        map_transform="identity",
        width=16,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)  # stores the arguments, makes the preprocessing
        # -- layers
        self.spectrum = Spectrum(map_size, len(self.parameters), width, dtype=self.dtype_policy)
        # -- bijector wiring: latent -> standardised map
        self.steps = ConditionalChain(
            [
                ConditionalFilter(self.spectrum.log_amplitude),
                HartleyTransform(),
                AffineInjector(self.spectrum.shift_and_log_scale),
            ]
        )
        self._complete(self.steps)

    @property
    def latent_shapes(self):  # of each level; this flow has one
        return [(self.num_channels, self.map_size, self.map_size)]

    @property
    def _latent_event(self):
        return self.latent_shapes[0]

    def _latents_by_level(self, x, conditional_input):
        return [self.steps.inverse_and_log_det(x, conditional_input)]


own = GaussianField(map_size, parameters=parameters)
own.initialize(train)
own_loss = fit(own, own_epochs, 2e-2)
print(f"{own.count_params():,} weights")
describe("Glow", glow)
describe("your own", own)

# %% [markdown]
# A few hundred weights do the work of twenty thousand: physics that is built in need not be learned. On fields that are
# *not* Gaussian this flow would fail, and the Glow would not. That is the trade.
#
# The new flow has all the verbs, and everything that takes a flow takes it: posteriors, saving, export.

# %%
results["your own"] = posteriors(own)
compare(results)

# %%
deviation = {
    name: np.abs(results[name].mean - results["exact"].mean) / results["exact"].sd for name in ("Glow", "your own")
}
for name, of_fields in deviation.items():
    width = np.mean(results[name].sd / results["exact"].sd)
    print(
        f"{name:10s} posterior means are {of_fields.mean():.2f} exact sd off on average; widths are {width:.2f} of the exact ones"
    )

# %% [markdown]
# ## Now yours
#
# - Other images: `HIMapDataset.from_arrays(images, theta, parameters=..., map_transform="identity")`. Photographs are
#   not periodic and have an up and a down: say `padding="zero"` and `train.to_tf(..., augment=False)`.
# - From files, with checkpoints, averaged weights and a record of the split: `higlow train ... --set
#   model.map_transform=identity`.
# - `hg.save_model(own, "folder")` and `hg.load_model("folder")`; `hg.serving.export_model(own, "folder")` for a
#   server that needs no package of ours.
# - The page `docs/library.md` of the documentation has every piece in short.
