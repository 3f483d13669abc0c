"""The flow as the named graph functions of a SavedModel."""

import functools

import tensorflow as tf

from higlow_tf.kept_activations import forward_only
from higlow_tf.serving.request_checks import check_grid_size, checked_inputs
from higlow_tf.serving.served_likelihood import ServedLikelihood
from higlow_tf.serving.served_moments import OWN_GRID, moments, own_moments, with_own_grid
from higlow_tf.serving.served_prior import is_inside_prior
from higlow_tf.serving.served_typicality import typicality_p_value

__all__ = ["make_signatures"]


def make_signatures(
    flow,
    *,
    others=(),
    tempering=1.0,
    widening=0.0,
    num_symmetries=1,
    nuisance=None,
    nuisance_draws="adapted",
    typicality=None,
    batch_size=None,
    jit_compile=False,
):
    """Traces the signatures of a model.

    A request whose shapes are not the model's is an `InvalidArgumentError`, also where the graph runs without Python.

    Theta are the parameters of interest. The likelihood is that of `ServedLikelihood`, integrated over the nuisance parameters.
    Maps have a nuisance of their own each, drawn from its prior. Mean, sd and covariance of `posterior` are those of `moments`
    for the points of a request, and of `own_moments` for the model's own grid.

    Args:
        flow: `ConditionalGlow`, `HIFlow` or `TRENF` in float32.
        others: The other flows of its ensemble. The log-likelihood of `posterior` is averaged over all; `log_prob`, `sample` and
            typicality are those of the first.
        tempering: Factor of the log-likelihood in the posterior.
        widening: One number a parameter `[P]`, or one for all; in the units of theta.
        num_symmetries: Copies of a map, see `higlow_tf.inference.symmetry_indices`; log_prob itself is that of the map.
        nuisance: Names of the parameters that are not asked for; None for the model's own, () for none.
        nuisance_draws: Draws of `posterior` over which they are integrated, "adapted" or "prior", see `MarginalLikelihood`.
        typicality: `TypicalityReference` with which `posterior` compares the maps, or None: its p-values are NaN then.
        batch_size: Fixed number of rows, or None for any.
        jit_compile: Whether XLA compiles the flow. Random numbers stay outside: XLA draws others from the same seed.

    Returns:
        Dict of concrete functions: log_prob, serving_default (the same), sample, posterior.
    """
    densities = [_density(member, jit_compile) for member in (flow, *others)]
    generate = tf.function(flow.generate, jit_compile=True, autograph=False) if jit_compile else flow.generate

    def averaged_density(hi_maps, theta):
        return tf.add_n([density(hi_maps, theta) for density in densities]) / len(densities)

    alone = ServedLikelihood(flow, densities[0], nuisance=nuisance)
    likelihood = ServedLikelihood(flow, averaged_density, num_symmetries, nuisance, nuisance_draws)
    parameters = likelihood.parameters

    def log_prob(hi_map, theta):
        return {
            "log_prob": alone.of_map(_with_channels(hi_map), theta),
            "inside_prior": is_inside_prior(parameters, theta),
        }

    def sample(theta, seed, temperature):
        hi_map = generate(flow.noise(seed) * temperature[:, None], likelihood.drawn(theta, seed))
        hi_map = hi_map[..., 0] if flow.num_channels == 1 else hi_map
        return {"hi_map": hi_map, "inside_prior": is_inside_prior(parameters, theta)}

    def posterior(hi_map, theta_grid):
        maps, has_points = _with_channels(hi_map), tf.shape(theta_grid)[1] > 0
        theta_grid = check_grid_size(
            with_own_grid(parameters, theta_grid), likelihood.num_draws, likelihood.num_evaluations_of_fit
        )
        plain, averaged = likelihood.on_grid(maps, theta_grid)

        def of_points():
            return moments(averaged, theta_grid, tempering, widening)

        def of_own_grid():
            return own_moments(parameters, averaged, tempering, widening)

        has_own_grid = len(parameters) in OWN_GRID
        mean, sd, covariance = tf.cond(has_points, of_points, of_own_grid) if has_own_grid else of_points()
        return {
            "log_prob": plain,
            "posterior_mean": mean,
            "posterior_sd": sd,
            "posterior_covariance": covariance,
            "inside_prior": tf.reduce_all(is_inside_prior(parameters, theta_grid), axis=1),
            "typicality": typicality_p_value(flow, typicality, maps, mean, likelihood.most_probable(maps, mean)),
        }

    specs = _input_specs(flow, len(parameters), batch_size)
    signatures = {f.__name__: _trace(f, specs[f.__name__]) for f in (log_prob, sample, posterior)}
    return signatures | {"serving_default": signatures["log_prob"]}


def _density(flow, jit_compile):
    """The log-density of maps, `[N, H, W, C]` and `[N, P + Q]` -> `[N]`, by XLA or as a graph that takes any number of them.

    Where the number is known, the flow divides its work into chunks that fit into the cache. This pays under XLA; operations one
    by one cost more each than the cache saves.
    """

    def log_density(hi_maps, theta):
        return tf.reduce_sum(flow.density_by_level(hi_maps, theta), axis=-1)

    if jit_compile:
        return tf.function(log_density, jit_compile=True, autograph=False)
    maps = tf.TensorSpec([None, flow.map_size, flow.map_size, flow.num_channels], tf.float32)
    theta = tf.TensorSpec([None, len(flow.parameters)], tf.float32)
    return tf.function(log_density, input_signature=[maps, theta], autograph=False)


def _input_specs(flow, num_parameters, batch_size):
    """Name of each signature -> the names of its inputs -> their `tf.TensorSpec`."""
    size, channels = flow.map_size, flow.num_channels
    map_shape = [size, size] if channels == 1 else [size, size, channels]
    hi_map = tf.TensorSpec([batch_size, *map_shape], tf.float32)
    theta = tf.TensorSpec([batch_size, num_parameters], tf.float32)
    seed = tf.TensorSpec([batch_size, 2], tf.int64)
    temperature = tf.TensorSpec([batch_size], tf.float32)
    theta_grid = tf.TensorSpec([batch_size, None, num_parameters], tf.float32)
    return {
        "log_prob": {"hi_map": hi_map, "theta": theta},
        "sample": {"theta": theta, "seed": seed, "temperature": temperature},
        "posterior": {"hi_map": hi_map, "theta_grid": theta_grid},
    }


def _trace(function, specs):
    """The concrete function of a signature, which checks its inputs before it computes."""

    @functools.wraps(function)
    def checked(*tensors):
        return function(*checked_inputs(specs, *tensors))

    with forward_only():
        return tf.function(checked, input_signature=list(specs.values()), autograph=False).get_concrete_function()


def _with_channels(hi_map):
    return hi_map if hi_map.shape.rank == 4 else hi_map[..., None]
