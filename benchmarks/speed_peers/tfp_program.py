"""`tfp.bijectors.Glow` with the levels, steps and widths of one of our presets."""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from higlow_tf.evaluation.speed_tasks import LEARNING_RATE

__all__ = ["tfp_tasks"]


def tfp_tasks(problem):
    """Functions by task. There is no posterior: nothing of it depends on theta.

    The graph has every step. XLA would take many minutes to compile it.
    """
    glow, maps = _glow(problem), tf.constant(problem.standard_maps())
    base = tfp.distributions.Sample(tfp.distributions.Normal(0.0, 1.0), problem.num_dimensions)
    distribution = tfp.distributions.TransformedDistribution(base, glow)
    distribution.log_prob(maps)  # makes all variables, and starts the activation normalisation
    optimizer = tf_keras.optimizers.Adam(LEARNING_RATE)
    variables = glow.trainable_variables
    optimizer.build(variables)

    def train():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(distribution.log_prob(maps)) / problem.num_dimensions
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 1.0)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return {
        "train": _graph(train),
        "log_prob": _graph(lambda: distribution.log_prob(maps)),
        "sample": _graph(lambda: distribution.sample(problem.batch_size)),
    }


def _graph(function):
    graph = tf.function(function, autograph=False)
    return lambda: graph().numpy()


def _glow(problem):
    """The bijector; what leaves a level is coupled to what stays by one convolution, where our preset has a split prior."""
    config, width = problem.config, problem.width

    def network(input_shape):
        return tfp.bijectors.GlowDefaultNetwork(input_shape, num_hidden=width)

    def no_network(input_shape, output_chan):
        return lambda x: tfp.bijectors.Identity()

    return tfp.bijectors.Glow(
        output_shape=(config["map_size"], config["map_size"], config["num_channels"]),
        num_glow_blocks=config["num_levels"],
        num_steps_per_block=config["num_steps_per_level"],
        coupling_bijector_fn=network,
        exit_bijector_fn=tfp.bijectors.GlowDefaultExitNetwork if config["use_split_prior"] else no_network,
        use_actnorm=True,
        seed=0,
    )
