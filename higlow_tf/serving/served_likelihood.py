"""The likelihood of a served model, at the parameters that one asks for: the nuisance is integrated over, or drawn for maps."""

import math

import tensorflow as tf

from higlow_tf.data.parameter_tensors import denormalize
from higlow_tf.inference.marginal_likelihood import MarginalLikelihood
from higlow_tf.inference.symmetry import symmetry_indices
from higlow_tf.models.completion import uniform_rows

__all__ = ["CHUNK_SIZE", "ServedLikelihood"]

# Flow evaluations at once: batches of 64 maps stay in the cache of a CPU core.
CHUNK_SIZE = 64


class ServedLikelihood:
    """What `MarginalLikelihood` and `MapLikelihood` compute, as functions of a graph.

    Math:
        log L(theta) = log(mean over draws nu_j of w_j exp(mean over the copies of the map of log p(copy | theta, nu_j)))

    Draws and weights on a grid are those of `MarginalLikelihood`. The likelihood of a map at one theta, and its most probable
    draw, are of draws of the prior: to adapt them would cost forty times as much. A model without nuisance parameters has one
    empty draw, and is itself.

    Args:
        flow: `ConditionalGlow`, `HIFlow` or `TRENF` in float32.
        density: Its log-density as a graph function, maps `[N, H, W, C]` and theta `[N, P + Q]` -> `[N]`.
        num_symmetries: Copies of a map, see `higlow_tf.inference.symmetry_indices`.
        nuisance: Names of the Q parameters that are not asked for; None for the model's own.
        nuisance_draws: "adapted" or "prior", see `MarginalLikelihood`.

    Attributes:
        parameters: `ParameterSpace` of the P parameters of interest.
        num_draws: J; 1 without nuisance parameters.
        num_evaluations_of_fit: Theta at which each map is evaluated on a grid beside the grid's own.
    """

    def __init__(self, flow, density, num_symmetries=1, nuisance=None, nuisance_draws="adapted"):
        self._all_parameters = flow.parameters
        self._density = density
        self._copies = symmetry_indices(flow.map_size, num_symmetries)
        self._marginal = MarginalLikelihood(flow, nuisance, nuisance_draws=nuisance_draws)
        self.parameters = self._marginal.parameters
        self.num_draws = self._marginal.num_draws
        self.num_evaluations_of_fit = self._marginal.num_evaluations(0)

    def of_map(self, maps, theta):
        """Log-likelihoods of maps as they are, `[B, H, W, C]` and `[B, P]` -> `[B]`."""
        if not self._marginal.nuisance:
            return self._density(maps, theta)
        return self._average(self._of_draws(maps, theta))

    def on_grid(self, maps, theta_grid):
        """Log-likelihoods at the points of a grid a map.

        Args:
            maps: `[B, H, W, C]`.
            theta_grid: `[B, G, P]`.

        Returns:
            The pair of those of the maps as they are, and those averaged over the copies, `[B, G]` each.
        """
        num_maps, num_points = tf.unstack(tf.shape(theta_grid)[:2])
        rows, log_weights = self._with_weighted_draws(maps, theta_grid)
        rows = tf.reshape(rows, [num_maps, -1, len(self._all_parameters)])
        of_copies = _log_prob_on_grid(self._density, maps, rows, self._copies)
        of_copies = tf.reshape(of_copies, [num_maps, num_points, self.num_draws, len(self._copies)])
        of_copies += log_weights[..., None]
        return self._average(of_copies[..., 0]), self._average(tf.reduce_mean(of_copies, axis=-1))

    def most_probable(self, maps, theta):
        """Theta of all parameters: each map's own, with the nuisance draw under which it is most probable, `[B, P + Q]`."""
        if not self._marginal.nuisance:
            return theta
        best = tf.argmax(self._of_draws(maps, theta), axis=1)
        return tf.gather(self._with_draws(theta), best, axis=1, batch_dims=1)

    def drawn(self, theta, row_seeds):
        """Theta of all parameters: the nuisance is drawn from its prior by stateless seeds `[B, 2]`, as `complete_theta` does."""
        if not self._marginal.nuisance:
            return theta
        unit = uniform_rows(row_seeds, len(self._all_parameters))
        space = self._all_parameters
        drawn = tf.clip_by_value(denormalize(space, 2.0 * unit - 1.0), space.low, space.high)
        columns = [
            theta[:, self.parameters.names.index(name)]
            if name in self.parameters.names
            else tf.cast(drawn[:, index], theta.dtype)
            for index, name in enumerate(space.names)
        ]
        return tf.stack(columns, axis=-1)

    def _with_draws(self, theta):
        """Each theta with each draw, `[..., P]` -> `[..., J, P + Q]`."""
        draws = tf.constant(self._marginal.draws, theta.dtype)
        shape = tf.concat([tf.shape(theta)[:-1], [self.num_draws]], axis=0)
        pairs = [
            tf.broadcast_to(values, tf.concat([shape, [values.shape[-1]]], axis=0))
            for values in (theta[..., None, :], draws)
        ]
        return tf.gather(tf.concat(pairs, axis=-1), self._marginal.order, axis=-1)

    def _with_weighted_draws(self, maps, theta_grid):
        """Each theta with each draw, `[B, G, J, P + Q]`, and ln w, `[B, G, J]`."""
        proposal = self._marginal.proposal
        if proposal is None:
            return self._with_draws(theta_grid), tf.zeros([1, 1, 1])

        def log_likelihood(theta):
            theta = tf.cast(theta, theta_grid.dtype)
            return tf.reduce_mean(_log_prob_on_grid(self._density, maps, theta, self._copies), axis=-1)

        moments = proposal.fit(log_likelihood, tf.shape(maps)[0])
        rows, log_weights = proposal.draws(*moments, theta_grid)
        return tf.cast(rows, theta_grid.dtype), tf.cast(log_weights, theta_grid.dtype)

    def _of_draws(self, maps, theta):
        """Log-likelihoods of maps as they are with each draw, `[B, P]` -> `[B, J]`."""
        return _log_prob_on_grid(self._density, maps, self._with_draws(theta), self._copies[:1])[..., 0]

    def _average(self, log_prob):
        """Log of the mean over the draws of the likelihoods, `[..., J]` -> `[...]`."""
        return tf.reduce_logsumexp(log_prob, axis=-1) - math.log(self.num_draws)


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
