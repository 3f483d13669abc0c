"""The flow as the named graph functions of a SavedModel."""

import functools

import tensorflow as tf

from higlow_tf.inference.symmetry import symmetry_indices
from higlow_tf.serving.request_checks import check_grid_size, checked_inputs
from higlow_tf.serving.served_prior import filled_grid, is_inside_prior
from higlow_tf.serving.served_typicality import typicality_p_value

__all__ = ["CHUNK_SIZE", "make_signatures"]

# Flow evaluations at once in `posterior`: batches of 64 maps stay in the cache of a CPU core.
CHUNK_SIZE = 64


def make_signatures(
    flow, *, tempering=1.0, widening=0.0, num_symmetries=1, typicality=None, batch_size=None, jit_compile=False
):
    """Traces the signatures of a model.

    A request whose shapes are not the model's is an `InvalidArgumentError`, also where the graph runs without Python.

    Math of `posterior`, with grid points of equal prior mass:
        weight = softmax(tempering * mean of log_prob over the symmetric copies of the map) over the grid
        mean = sum(weight * theta);  sd**2 = sum(weight * (theta - mean)**2) + widening**2

    Args:
        flow: `ConditionalGlow` or `HIFlow` in float32.
        tempering: Factor of the log-likelihood in the posterior.
        widening: One number a parameter `[P]`, or one for all; in the units of theta.
        num_symmetries: Copies of a map, see `higlow_tf.inference.symmetry_indices`; log_prob itself is that of the map.
        typicality: `TypicalityReference` with which `posterior` compares the maps, or None: its p-values are NaN then.
        batch_size: Fixed number of rows, or None for any.
        jit_compile: Whether XLA compiles the flow. Random numbers stay outside: XLA draws others from the same seed.

    Returns:
        Dict of concrete functions: log_prob, serving_default (the same), sample, posterior.
    """
    parameters = flow.parameters

    def log_density(hi_maps, theta):
        return tf.reduce_sum(flow.density_by_level(hi_maps, theta), axis=-1)

    density, generate = log_density, flow.generate
    if jit_compile:
        density, generate = (tf.function(f, jit_compile=True, autograph=False) for f in (density, generate))

    def log_prob(hi_map, theta):
        return {"log_prob": density(_with_channels(hi_map), theta), "inside_prior": is_inside_prior(parameters, theta)}

    def sample(theta, seed, temperature):
        hi_map = generate(flow.noise(seed) * temperature[:, None], theta)
        hi_map = hi_map[..., 0] if flow.num_channels == 1 else hi_map
        return {"hi_map": hi_map, "inside_prior": is_inside_prior(parameters, theta)}

    def posterior(hi_map, theta_grid):
        maps = _with_channels(hi_map)
        theta_grid = check_grid_size(filled_grid(parameters, theta_grid))
        of_copies = _log_prob_on_grid(density, maps, theta_grid, copies)
        mean, sd = _mean_and_sd(tf.reduce_mean(of_copies, axis=-1), theta_grid, tempering, widening)
        return {
            "log_prob": of_copies[..., 0],
            "posterior_mean": mean,
            "posterior_sd": sd,
            "inside_prior": tf.reduce_all(is_inside_prior(parameters, theta_grid), axis=1),
            "typicality": typicality_p_value(flow, typicality, maps, mean),
        }

    copies = symmetry_indices(flow.map_size, num_symmetries)
    specs = _input_specs(flow, batch_size)
    signatures = {f.__name__: _trace(f, specs[f.__name__]) for f in (log_prob, sample, posterior)}
    return signatures | {"serving_default": signatures["log_prob"]}


def _input_specs(flow, batch_size):
    """Name of each signature -> the names of its inputs -> their `tf.TensorSpec`."""
    size, channels, num_parameters = flow.map_size, flow.num_channels, len(flow.parameters)
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

    return tf.function(checked, input_signature=list(specs.values()), autograph=False).get_concrete_function()


def _with_channels(hi_map):
    return hi_map if hi_map.shape.rank == 4 else hi_map[..., None]


def _log_prob_on_grid(density, maps, theta_grid, copies):
    """`[B, H, W, C]`, `[B, G, P]` and the pixels of T copies `[T, H * W]` -> `[B, G, T]`.

    A loop over chunks of the B * G * T evaluations. Every chunk has the same size: the last chunk repeats its last evaluation,
    and the repeats are cut off again.
    """
    num_maps, num_points = tf.unstack(tf.shape(theta_grid)[:2])
    num_copies = len(copies)
    num_evaluations = num_maps * num_points * num_copies
    copies = tf.constant(copies, tf.int32)
    pixels = tf.reshape(maps, [-1, copies.shape[1], maps.shape[-1]])
    flat_theta = tf.reshape(theta_grid, [-1, theta_grid.shape[-1]])
    num_chunks = (num_evaluations + CHUNK_SIZE - 1) // CHUNK_SIZE

    def evaluate_chunk(index, log_probs):
        evaluations = tf.minimum(index * CHUNK_SIZE + tf.range(CHUNK_SIZE), num_evaluations - 1)
        pairs = evaluations // num_copies
        of_pairs = tf.gather(pixels, pairs // num_points)
        copied = tf.gather(of_pairs, tf.gather(copies, evaluations % num_copies), axis=1, batch_dims=1)
        chunk = density(tf.reshape(copied, [-1, *maps.shape[1:]]), tf.gather(flat_theta, pairs))
        return index + 1, log_probs.write(index, chunk)

    log_probs = tf.TensorArray(tf.float32, size=num_chunks, element_shape=[CHUNK_SIZE])
    # One chunk after the other: the default of ten at once would take the memory of ten.
    _, log_probs = tf.while_loop(
        lambda index, _: index < num_chunks, evaluate_chunk, (0, log_probs), parallel_iterations=1
    )
    return tf.reshape(tf.reshape(log_probs.stack(), [-1])[:num_evaluations], [num_maps, num_points, num_copies])


def _mean_and_sd(log_probs, theta_grid, tempering, widening):
    """Moments `[B, P]` of the calibrated posterior; NaN in a row where a log-probability is NaN, never a flat guess."""
    # The maximum is taken off first: a log_prob of 1e4 has a float32 spacing of 1e-3, and a product would round once more.
    relative = log_probs - tf.reduce_max(log_probs, axis=1, keepdims=True)
    weights = tf.nn.softmax(tempering * relative, axis=1)[..., None]
    mean = tf.reduce_sum(weights * theta_grid, axis=1)
    variance = tf.reduce_sum(weights * (theta_grid - mean[:, None]) ** 2, axis=1)
    return mean, tf.sqrt(variance + tf.constant(widening, tf.float32) ** 2)
