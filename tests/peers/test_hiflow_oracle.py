"""HIFlow's values, gradients and drawings against an independent PyTorch program with the same weights."""

import math

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.models import HIFlow

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peer

# Relative, with denominator max(1, |value|): rounding of float64 (2e-16) through some hundred operations, with a wide margin.
TOLERANCE = 1e-9
NUM_MAPS, SIDE, WIDTH, NUM_BLOCKS, MAX_LOG_SCALE = 3, 4, 7, 3, 0.8
SHIFT, LOG_SCALE, LOWEST, HIGHEST, TAIL_WIDTH = 6.5, -0.6, 5.9, 7.1, 0.3


class TorchHIFlow:
    """The density of the model's docstring, written with explicit masks, and drawing by one whole pass a pixel."""

    def __init__(self, model):
        self.weights = {
            variable.path.partition("/")[2]: torch.tensor(variable.numpy(), requires_grad=True)
            for variable in model.trainable_variables
        }
        self.orders = [list(block.order) for block in model.blocks]

    def shift_and_log_scale(self, block, y, condition):
        weights = {name: self.weights[f"block_{block}/{name}"] for name in ("w1", "b1", "w2", "b2")}
        size, hidden_mask, output_mask = y.shape[1], torch.zeros(y.shape[1], WIDTH), torch.zeros(y.shape[1], WIDTH)
        for pixel in range(size):
            position = self.orders[block].index(pixel)
            for unit in range(WIDTH):
                degree = unit * (size - 1) // WIDTH
                hidden_mask[pixel, unit] = position <= degree
                output_mask[pixel, unit] = degree < position
        hidden = torch.relu(
            y @ (weights["w1"] * hidden_mask)
            + condition @ self.weights[f"block_{block}/w1_condition"].T
            + weights["b1"]
        )
        output = [
            hidden @ (weights["w2"][:, part] * output_mask).T
            + condition @ self.weights[f"block_{block}/w2_condition"][:, part].T
            + weights["b2"][:, part]
            for part in range(2)
        ]
        return output[0], MAX_LOG_SCALE * torch.tanh(output[1] / MAX_LOG_SCALE)

    def log_prob(self, maps, theta):
        log10_maps = torch.log10(maps.reshape(len(maps), -1))
        beyond = torch.relu(log10_maps - HIGHEST) + torch.relu(LOWEST - log10_maps)
        stretch = TAIL_WIDTH * torch.expm1(beyond / TAIL_WIDTH) - beyond
        x = log10_maps + torch.where(log10_maps > HIGHEST, stretch, -stretch)
        x = (x - SHIFT) * math.exp(-LOG_SCALE)
        total = torch.sum(beyond / TAIL_WIDTH - LOG_SCALE, dim=1)
        condition = torch.stack([(theta[:, 0] - 0.3) / 0.2, (theta[:, 1] - 0.8) / 0.2], dim=1)
        for block in range(NUM_BLOCKS):
            shift, log_scale = self.shift_and_log_scale(block, x, condition)
            x = (x - shift) * torch.exp(-log_scale)
            total = total - log_scale.sum(dim=1)
        return total - 0.5 * torch.sum(x**2 + math.log(2.0 * math.pi), dim=1)

    def draw(self, z, theta):
        condition = torch.stack([(theta[:, 0] - 0.3) / 0.2, (theta[:, 1] - 0.8) / 0.2], dim=1)
        y = z
        for block in reversed(range(NUM_BLOCKS)):
            x, y = y, torch.zeros_like(z)
            for _ in range(z.shape[1]):  # after as many passes as pixels, each has what it depends on
                shift, log_scale = self.shift_and_log_scale(block, y, condition)
                y = x * torch.exp(log_scale) + shift
        y = y * math.exp(LOG_SCALE) + SHIFT
        beyond = torch.relu(y - HIGHEST) + torch.relu(LOWEST - y)
        stretch = TAIL_WIDTH * torch.log1p(beyond / TAIL_WIDTH) - beyond
        return y + torch.where(y > HIGHEST, stretch, -stretch)


@pytest.fixture(scope="module", params=["reversed", "random"])
def pair(request):
    config = {"width": WIDTH, "num_blocks": NUM_BLOCKS, "max_log_scale": MAX_LOG_SCALE, "ordering": request.param}
    model = HIFlow(SIDE, dtype="float64", **config)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign_add(0.1 * rng.standard_normal(variable.shape))
    model.map_shift.assign([SHIFT])
    model.map_log_scale.assign([LOG_SCALE])
    model.map_lowest.assign([LOWEST])
    model.map_highest.assign([HIGHEST])
    return model, TorchHIFlow(model)


def relative_error(value, reference):
    value, reference = np.asarray(value), np.asarray(reference)
    assert value.shape == reference.shape
    return np.max(np.abs(value - reference) / np.maximum(1.0, np.abs(reference)))


def test_log_prob_and_every_gradient_agree(pair):
    model, peer = pair
    maps = 10.0 ** np.random.default_rng(2).normal(SHIFT, 0.5, (NUM_MAPS, SIDE, SIDE, 1))
    theta = model.parameters.sample_uniform(NUM_MAPS, seed=3)
    with tf.GradientTape() as tape:
        ours = tf.reduce_sum(model.density_by_level(tf.constant(maps), tf.constant(theta)), axis=-1)
    variables = {variable.path.partition("/")[2]: variable.value for variable in model.trainable_variables}
    gradients = tape.gradient(ours, variables)
    reference = peer.log_prob(torch.tensor(maps), torch.tensor(theta))
    reference.sum().backward()
    assert relative_error(ours, reference.detach()) < TOLERANCE
    for name, gradient in gradients.items():
        assert np.any(gradient != 0.0), name
        assert relative_error(gradient, peer.weights[name].grad) < TOLERANCE, name


def test_drawn_maps_agree(pair):
    model, peer = pair
    z = np.random.default_rng(4).standard_normal((NUM_MAPS, SIDE * SIDE))
    theta = model.parameters.sample_uniform(NUM_MAPS, seed=5)
    with torch.no_grad():
        reference = peer.draw(torch.tensor(z), torch.tensor(theta)).reshape(NUM_MAPS, SIDE, SIDE)
    ours = np.log10(model.generate(tf.constant(z), tf.constant(theta))[..., 0])
    assert relative_error(ours, reference) < TOLERANCE
