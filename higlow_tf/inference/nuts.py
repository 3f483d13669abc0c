"""Posterior as draws of the No-U-Turn sampler of TensorFlow Probability."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from higlow_tf.data.parameter_tensors import denormalize
from higlow_tf.errors import InputError
from higlow_tf.inference.draws import group_of_draws
from higlow_tf.inference.importance import fitted_gaussian
from higlow_tf.inference.laplace import Unconstrained, peak_inside

__all__ = ["NutsOptions", "NutsSampler"]

# Draws between two reports of progress.
_SEGMENT = 100
# First step in whitened coordinates, where the posterior is about N(0, I).
_FIRST_STEP_SIZE = 0.7
_TARGET_ACCEPTANCE = 0.8
# Chains that have not mixed (Vehtari et al. 2021, arXiv:1903.08008).
_LARGEST_GOOD_R_HAT = 1.01


@dataclass(frozen=True)
class NutsOptions:
    """Options of the method "nuts".

    Args:
        num_chains: Chains, all in one batch; 2 or more.
        num_draws: Draws that each chain keeps.
        num_warmup: Draws before them, which set the step size.
        max_tree_depth: A draw takes at most 2**max_tree_depth - 1 gradients.
        jit_compile: Whether XLA compiles the density and its gradient: half of the time for a flow.
    """

    num_chains: int = 4
    num_draws: int = 1000
    num_warmup: int = 300
    max_tree_depth: int = 4
    jit_compile: bool = True

    def __post_init__(self):
        for name, fewest in (("num_chains", 2), ("num_draws", 100), ("num_warmup", 10), ("max_tree_depth", 1)):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < fewest:
                raise InputError(f"{name}: expected an integer of at least {fewest}. Received: {value!r}.")

    @staticmethod
    def check(num_parameters):
        """Any number of parameters will do."""


class NutsSampler:
    """Runs NUTS for one group of maps after the other; the graph is traced once for each size of a group.

    The coordinates are logits of the prior box, whitened by the mean and covariance of a short importance sampling. The chains
    start at draws of that Gaussian.

    Args:
        model: `MarginalLikelihood` of an object with a differentiable TensorFlow `log_prob(hi_maps, theta)`.
        prior: `BoundPrior`.
        options: `NutsOptions`.

    References:
        [1] Hoffman & Gelman. JMLR 15, 1593 (2014). https://arxiv.org/abs/1111.4246
    """

    def __init__(self, model, prior, options):
        self._marginal = model
        self._prior = prior
        self._options = options
        self._value_and_gradient = tf.function(
            self._value_and_gradient_graph, autograph=False, jit_compile=options.jit_compile
        )
        self._warm_up = tf.function(self._warm_up_graph, autograph=False)
        self._draw = tf.function(self._draw_graph, autograph=False)

    def __call__(self, target, widening_at, options, *, seed, advance, **_unused):
        """Posterior of one group of maps.

        Args:
            target: `Target`.
            widening_at: Function from the mean, normalised `[P]`, to the sd of the convolution there, `[P]`.
            options: The `NutsOptions` that the sampler was made with.
            seed: Seed of starts and draws.
            advance: Called with the share of the draws that is done.

        Returns:
            `GroupResult` of draws, chain after chain.
        """
        rng = np.random.default_rng(seed)
        centre, covariance = fitted_gaussian(target, seed, rng)
        factor = np.linalg.cholesky(covariance)
        maps = np.stack([likelihood.copies for likelihood in target.likelihoods])
        moments = [
            np.concatenate(part) for part in zip(*(of.nuisance_moments for of in target.likelihoods), strict=True)
        ]
        problem = (tf.constant(maps), *(tf.constant(x, tf.float64) for x in (target.weight, centre, factor, *moments)))
        state = tf.constant(rng.standard_normal((options.num_chains, len(centre))))
        state, step_size = self._warm_up(problem, state, _segment_seed(seed, 0))
        parts, done, num_warmup = [], 0, options.num_warmup
        while done < options.num_draws:
            advance((num_warmup + done) / (num_warmup + options.num_draws))
            part = self._draw(problem, state, step_size, _segment_seed(seed, 1 + done))
            parts.append([x.numpy() for x in part])
            state, done = part[0][-1], done + _SEGMENT
        white, divergent, acceptance, num_gradients = (
            np.concatenate(part)[: options.num_draws] for part in zip(*parts, strict=True)
        )
        # Of the parameters themselves: next to an edge of the prior logits have a long tail that means nothing.
        v = centre + white @ factor.T
        normalized = Unconstrained(target).to_normalized(v)
        diagnostics = _diagnostics(normalized)
        diagnostics |= {
            "divergences": int(divergent.sum()),
            "acceptance": float(acceptance.mean()),
            "step_size": float(step_size),
            "gradients_per_draw": float(num_gradients.mean()),
        }
        normalized = np.swapaxes(normalized, 0, 1).reshape(-1, len(centre))
        weights = np.zeros(len(normalized))
        peak = peak_inside(target, v.reshape(-1, len(centre)))
        return group_of_draws(target, normalized, weights, peak, widening_at, rng, diagnostics, _notes(diagnostics))

    def _log_density(self, problem, white):
        """Whitened logits `[C, P]` -> log-density `[C]`, TensorFlow."""
        maps, weight, centre, factor, *moments = problem
        prior = self._prior
        v = centre + tf.linalg.matmul(white, factor, transpose_b=True)
        normalized = prior.low + (prior.high - prior.low) * tf.sigmoid(v)
        theta = denormalize(prior.parameters, normalized)
        num_maps, num_copies, *map_shape = maps.shape
        num_chains = white.shape[0]
        copies = tf.reshape(maps, [-1, *map_shape])
        theta_rows, log_weights = self._rows(theta, num_maps, moments)
        num_rows, num_draws = theta_rows.shape[1], self._marginal.num_draws
        of_copies = tf.reshape(tf.repeat(theta_rows, num_copies, axis=0), [-1, theta_rows.shape[-1]])
        by_copy = self._call_model(tf.repeat(copies, num_rows, axis=0), of_copies)
        by_copy = tf.reshape(by_copy, [num_maps, num_copies, num_chains, num_draws])
        by_map = tf.reduce_logsumexp(tf.reduce_mean(by_copy, axis=1) + log_weights, axis=-1)
        log_likelihood = tf.reduce_sum(by_map, axis=0)
        jacobian = tf.reduce_sum(tf.math.log_sigmoid(v) + tf.math.log_sigmoid(-v), axis=-1)
        log_prior = _differentiable(lambda: prior.log_density(normalized, theta), "prior")
        log_density = weight * log_likelihood + log_prior + jacobian
        return tf.where(tf.math.is_nan(log_density), tf.constant(-np.inf, tf.float64), log_density)

    def _rows(self, theta, num_maps, moments):
        """Each theta `[C, P]` with each nuisance draw of M maps, `[M, C * J, P + Q]`, and ln w, as `MapLikelihood` has them."""
        if moments:
            rows, log_weights = self._marginal.proposal.draws(*moments, tf.tile(theta[None], [num_maps, 1, 1]))
            return tf.reshape(rows, [num_maps, -1, rows.shape[-1]]), log_weights
        draws = tf.constant(self._marginal.draws)
        pairs = tf.repeat(theta, self._marginal.num_draws, axis=0), tf.tile(draws, [theta.shape[0], 1])
        rows = tf.gather(tf.concat(pairs, axis=1), self._marginal.order, axis=1)
        return tf.tile(rows[None], [num_maps, 1, 1]), tf.zeros([], tf.float64)

    def _call_model(self, maps, theta):
        return tf.cast(_differentiable(lambda: self._marginal.model.log_prob(maps, theta), "model"), tf.float64)

    def _value_and_gradient_graph(self, problem, white):
        with tf.GradientTape() as tape:
            tape.watch(white)
            log_density = self._log_density(problem, white)
        return log_density, tape.gradient(log_density, white)

    def _kernel(self, problem, step_size):
        @tf.custom_gradient
        def log_density(white):
            value, gradient = self._value_and_gradient(problem, white)

            def gradient_of(upstream, variables=()):
                # By white alone: the weights of the model stay as they are.
                return upstream[:, None] * gradient, [None] * len(variables)

            return value, gradient_of

        return tfp.mcmc.NoUTurnSampler(log_density, step_size, max_tree_depth=self._options.max_tree_depth)

    def _warm_up_graph(self, problem, state, seed):
        self._check_gradient(problem, state)
        num_warmup = self._options.num_warmup
        kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
            self._kernel(problem, tf.constant(_FIRST_STEP_SIZE, tf.float64)),
            num_adaptation_steps=num_warmup - 1,
            target_accept_prob=tf.constant(_TARGET_ACCEPTANCE, tf.float64),
        )
        # Only the last state is needed, and the step size that the adaptation has arrived at.
        state, _, results = tfp.mcmc.sample_chain(
            1,
            state,
            kernel=kernel,
            num_burnin_steps=num_warmup - 1,
            seed=seed,
            trace_fn=lambda *_: (),
            return_final_kernel_results=True,
        )
        return state[-1], results.new_step_size

    def _draw_graph(self, problem, state, step_size, seed):
        draws, traced = tfp.mcmc.sample_chain(
            _SEGMENT,
            state,
            kernel=self._kernel(problem, step_size),
            seed=seed,
            trace_fn=lambda _, r: (r.has_divergence, tf.exp(tf.minimum(r.log_accept_ratio, 0.0)), r.leapfrogs_taken),
        )
        return draws, *traced

    def _check_gradient(self, problem, state):
        """Refuses, while tracing, a likelihood or prior through which no gradient comes back."""
        with tf.GradientTape() as tape:
            tape.watch(state)
            moments = [part[:1] for part in problem[4:]]
            theta, _ = self._rows(denormalize(self._prior.parameters, state[:1]), 1, moments)
            log_density = self._call_model(problem[0][0, :1], theta[0, :1])
        if tape.gradient(log_density, state) is None:
            raise InputError(
                "method: expected a log_prob that TensorFlow can differentiate by theta for 'nuts', or another method. "
                f"Received: no gradient from {type(self._marginal.model).__name__}."
            )


def _differentiable(function, name):
    """Runs a function of symbolic tensors; NumPy code in it cannot be differentiated, and is named."""
    try:
        value = function()
    except (NotImplementedError, TypeError) as error:  # what NumPy and `len` raise of a symbolic tensor
        raise InputError(
            f"method: expected a log_prob in TensorFlow, without NumPy, for 'nuts', or another method. "
            f"Received: the {name}'s log_prob fails with {str(error).splitlines()[0]}"
        ) from error
    return value


def _segment_seed(seed, segment):
    return tf.constant([seed, segment], tf.int32)


def _diagnostics(draws):
    """R-hat and effective sample size of each parameter, from draws `[S, C, P]`.

    The sample size is the smaller of two: for the mean, and for the variance. The draws of NUTS tend to lie on opposite sides of
    the mean, which helps the mean alone.
    """
    r_hat = tfp.mcmc.potential_scale_reduction(draws, independent_chain_ndims=1, split_chains=True)
    ess = [
        tfp.mcmc.effective_sample_size(x, cross_chain_dims=1, filter_beyond_positive_pairs=True).numpy()
        for x in (draws, (draws - draws.mean(axis=(0, 1))) ** 2)
    ]
    return {"r_hat": r_hat.numpy(), "ess": np.minimum(*ess)}


def _notes(diagnostics):
    notes = []
    if not np.max(diagnostics["r_hat"]) < _LARGEST_GOOD_R_HAT:
        notes.append(f"the chains have not mixed: R-hat is {np.max(diagnostics['r_hat']):.3f}")
    if diagnostics["divergences"]:
        notes.append(f"{diagnostics['divergences']} draws diverged")
    return notes
