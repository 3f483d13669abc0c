"""The rolled loop against the same steps unrolled, the levels of a multiscale flow, the density of a whole model."""

import re

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from cases import CASES, HALF, randomise, stacked_steps

from higlow_tf import cores
from higlow_tf.bijectors import (
    ConditionalAffineCoupling,
    ConditionalChain,
    Exp10,
    LogarithmicTails,
    Multiscale,
    RepeatedSteps,
    Squeeze,
    repeated_steps,
)
from higlow_tf.models import ConditionalGlow

SAME_ARITHMETIC = 1e-12  # float64, the same operations in another program
COMPILED = 1e-4  # float32, other operation order under XLA; gradients are sums of some hundred terms

DIRECTIONS = ("forward", "inverse")
NUM_MAPS = 3


def inputs(rng, dtype="float64"):
    """Channel-major events and conditions."""
    x = tf.constant(rng.standard_normal((4, 4, 4, NUM_MAPS)), dtype)
    return x, tf.constant(rng.uniform(-1.0, 1.0, (NUM_MAPS, 2)), dtype)


def loss_and_gradients(run, x, conditional_input, weights, probe):
    """A scalar that depends on every output and on every log-det in its own way, and its gradients."""
    with tf.GradientTape() as tape:
        tape.watch([x, conditional_input])
        y, log_det = run(x, conditional_input)
        loss = tf.reduce_sum(probe * y) + tf.reduce_sum(probe[0, 0, 0] * log_det)
    return loss, tape.gradient(loss, [x, conditional_input, *weights])


# Of the network in `stacked_steps`: two hidden layers of its width, shift and log-scale.
KEPT = (6, 6, 2 * HALF)


@pytest.mark.parametrize("kept", [(), KEPT])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradients_of_the_loop_are_those_of_the_unrolled_chain(rng, direction, kept):
    num_steps = 3
    make_step, stacked_weights, weights, _, _ = stacked_steps("float64", num_steps)

    def unrolled(x, conditional_input):
        stacked = stacked_weights(conditional_input, direction)
        steps = [make_step(*tf.nest.map_structure(lambda leaf, k=k: leaf[k], stacked)) for k in range(num_steps)]
        return getattr(ConditionalChain(reversed(steps)), f"{direction}_and_log_det")(x, conditional_input)

    steps = RepeatedSteps(make_step, stacked_weights, num_steps, kept)
    rolled = getattr(steps, f"{direction}_and_log_det")
    arguments = *inputs(rng), weights, tf.constant(rng.standard_normal((4, 4, 4, NUM_MAPS)))
    loss, gradients = loss_and_gradients(rolled, *arguments)
    expected_loss, expected = loss_and_gradients(unrolled, *arguments)
    np.testing.assert_allclose(loss, expected_loss, rtol=SAME_ARITHMETIC)
    for gradient, other in zip(gradients, expected, strict=True):
        largest = np.max(np.abs(other))
        assert largest > 0.0
        np.testing.assert_allclose(gradient, other, rtol=0.0, atol=SAME_ARITHMETIC * largest)


@pytest.mark.parametrize("kept", [(), KEPT])
def test_gradient_compiles_with_the_tape_outside(rng, kept):
    make_step, stacked_weights, weights, _, _ = stacked_steps("float32")
    steps = RepeatedSteps(make_step, stacked_weights, 2, kept)
    compiled = tf.function(steps.inverse_and_log_det, jit_compile=True, autograph=False)
    arguments = *inputs(rng, "float32"), weights, tf.constant(rng.standard_normal((4, 4, 4, NUM_MAPS)), tf.float32)
    _, gradients = loss_and_gradients(compiled, *arguments)
    _, expected = loss_and_gradients(steps.inverse_and_log_det, *arguments)
    for gradient, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=0.0, atol=COMPILED * np.max(np.abs(other)))


def test_what_is_kept_is_not_evaluated_again(rng):
    """The matrix products of the compiled gradient, those of its loops counted once."""
    make_step, stacked_weights, weights, _, _ = stacked_steps("float32")

    def products(kept):
        steps = RepeatedSteps(make_step, stacked_weights, 2, kept)

        @tf.function(jit_compile=True, autograph=False)
        def both(x, conditional_input, probe):
            return loss_and_gradients(steps.inverse_and_log_det, x, conditional_input, weights, probe)

        x, conditional_input = inputs(rng, "float32")
        text = both.experimental_get_compiler_ir(x, conditional_input, x)(stage="optimized_hlo")
        return len(re.findall(r"= \S+ dot\(", text))

    # The three convolutions of the network.
    assert products(()) - products(KEPT) == 3


def test_a_step_that_keeps_other_channels_is_refused(rng):
    make_step, stacked_weights, _, _, _ = stacked_steps("float32")
    with pytest.raises(ValueError, match=r"of \(6, 6\) channels that are kept. Received: \(6, 6, 4\)"):
        RepeatedSteps(make_step, stacked_weights, 2, KEPT[:2]).inverse_and_log_det(*inputs(rng, "float32"))


def number_of_nodes(num_steps, direction):
    """Nodes of the graph of one direction and of its gradient, those of called functions included."""
    # Narrow: TensorFlow spends two nodes more on zeros of above 1000 elements, which it does not store as a constant.
    make_step, stacked_weights, weights, _, _ = stacked_steps("float32", num_steps, width=3)
    run = getattr(RepeatedSteps(make_step, stacked_weights, num_steps), f"{direction}_and_log_det")

    @tf.function(autograph=False)
    def both(x, conditional_input, probe):
        return loss_and_gradients(run, x, conditional_input, weights, probe)

    event = tf.TensorSpec([4, 4, 4, None])
    graph = both.get_concrete_function(event, tf.TensorSpec([None, 2]), event).graph.as_graph_def()
    return len(graph.node) + sum(len(function.node_def) for function in graph.library.function)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_graph_does_not_grow_with_the_steps(direction):
    assert number_of_nodes(2, direction) == number_of_nodes(8, direction)


def test_latents_are_ordered_level_by_level(rng):
    multiscale = CASES["Multiscale"].built("float64").bijector
    y, conditional_input = inputs(rng)
    z, ildj = multiscale.inverse_and_log_det(y, conditional_input)
    by_level = multiscale.inverse_by_level(y, conditional_input)
    assert [part.shape for part, _ in by_level] == [(8, 2, 2, NUM_MAPS), (32, 1, 1, NUM_MAPS)]
    assert multiscale.latent_sizes == [32, 32]
    expected = np.concatenate([np.reshape(part, (-1, NUM_MAPS)) for part, _ in by_level])
    np.testing.assert_array_equal(z, expected)
    np.testing.assert_allclose(ildj, sum(part for _, part in by_level), rtol=SAME_ARITHMETIC)


def test_squeeze_puts_squares_into_channels():
    y = np.arange(2 * 4 * 6, dtype="float64").reshape(4, 6, 2)
    x = Squeeze().inverse(y).numpy()
    i, j, c, di, dj = np.meshgrid(*[np.arange(n) for n in (2, 3, 2, 2, 2)], indexing="ij")
    np.testing.assert_array_equal(x[i, j, 4 * c + 2 * di + dj], y[2 * i + di, 2 * j + dj, c])


@pytest.fixture(scope="module")
def model():
    model = ConditionalGlow.from_preset("tiny", map_size=4, num_channels=2, dtype="float64")
    randomise(model.trainable_variables)
    model.map_shift.assign([6.5, 5.5])
    model.map_log_scale.assign([-0.9, -1.2])
    return model


def test_density_of_the_model_is_that_of_its_bijector(model, rng):
    maps = 10.0 ** rng.normal(6.0, 0.4, (NUM_MAPS, 4, 4, 2))
    theta = np.array([[0.2, 0.7], [0.3, 0.8], [0.45, 0.95]])
    base = tfp.distributions.Sample(tfp.distributions.Normal(tf.zeros([], tf.float64), 1.0), [32])
    flow = tfp.distributions.TransformedDistribution(base, model.bijector)
    keywords = {"conditional_input": model.normalize(theta)}
    log10_maps = np.log10(maps)
    # From the density of the physical map to that of its logarithm.
    expected = flow.log_prob(maps, bijector_kwargs=keywords) + Exp10().forward_log_det_jacobian(log10_maps)
    by_level = model.density_by_level(tf.constant(maps), theta)
    assert by_level.shape == (NUM_MAPS, 2)
    np.testing.assert_allclose(np.sum(by_level, axis=1), expected, rtol=SAME_ARITHMETIC)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"divides, for 2 levels. Received: 6 x 4"):
        Multiscale([Squeeze(), Squeeze()], (6, 4, 1))
    with pytest.raises(ValueError, match=r"at least one bijector. Received: none"):
        ConditionalChain([])
    with pytest.raises(ValueError, match=r"even number of channels. Received: 3"):
        ConditionalAffineCoupling(lambda a, _: (a, a)).forward(tf.zeros([2, 2, 3]), conditional_input=tf.zeros([2]))
    with pytest.raises(ValueError, match=r"even number of rows and columns. Received"):
        Squeeze().inverse(tf.zeros([3, 4, 1]))
    with pytest.raises(ValueError, match=r"channels that 4 divides. Received"):
        Squeeze().forward(tf.zeros([2, 2, 6]))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_chunks_of_a_batch_give_values_and_gradients_of_the_whole(rng, direction, monkeypatch):
    make_step, stacked_weights, weights, _, _ = stacked_steps("float64")
    run = getattr(RepeatedSteps(make_step, stacked_weights, 2), f"{direction}_and_log_det")
    arguments = *inputs(rng), weights, tf.constant(rng.standard_normal((4, 4, 4, NUM_MAPS)))
    monkeypatch.setattr(cores, "_MAX_CORES_FOR_PARTS", 10**6)
    loss, gradients = loss_and_gradients(run, *arguments)
    monkeypatch.setattr(repeated_steps, "_PIXELS_IN_CACHE", 16)
    assert repeated_steps._chunk_size(arguments[0]) == 1
    with cores.whole_batches():
        assert repeated_steps._chunk_size(arguments[0]) == NUM_MAPS
    chunked_loss, chunked = loss_and_gradients(run, *arguments)
    np.testing.assert_allclose(chunked_loss, loss, rtol=SAME_ARITHMETIC)
    for gradient, other in zip(chunked, gradients, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=0.0, atol=SAME_ARITHMETIC * np.max(np.abs(other)))


def test_logarithmic_tails_change_nothing_inside_and_keep_samples_near():
    tails = LogarithmicTails(lambda: (tf.constant([5.0]), tf.constant([11.0])), width=0.3)
    inside = tf.constant(np.linspace(5.0, 11.0, 16).reshape(1, 4, 4, 1).astype("f4"))
    np.testing.assert_array_equal(tails.forward(inside), inside)
    far = tails.forward(tf.constant([-1.0, 17.0], shape=[2, 1, 1, 1])).numpy().ravel()
    np.testing.assert_allclose(far, [5.0 - 0.3 * np.log(21.0), 11.0 + 0.3 * np.log(21.0)], rtol=1e-6)
