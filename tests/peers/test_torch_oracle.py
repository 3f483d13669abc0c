"""Values and gradients against an independent PyTorch program with the same weights."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.models import ConditionalGlow

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peer

# Relative, with denominator max(1, |value|): rounding of float64 (2e-16) through a few hundred operations, with a wide
# margin.
TOLERANCE = 1e-9
# Leaves no weight at a special value, and keeps the conditioning of a few random steps mild.
WEIGHT_SD = 0.03
NUM_MAPS = 3

_SMALL = {"width": 6, "injector_width": 5, "map_size": 16}
_PAPER_LIKE = {
    "num_levels": 3,
    "num_steps_per_level": 3,
    "injector": "scalar",
    "padding": "zero",
    "use_split_prior": False,
    "use_map_mean": False,
}
_THREE_PARAMETERS = {"parameters": ("Omega_m", "sigma_8", "A_SN1")}
# Overrides of the preset "tiny", and how the peer is told the condition.
CASES = {
    "paper-like": (_PAPER_LIKE, "bias"),
    "tiny": ({}, "channels"),
    "tiny, condition as bias": ({}, "bias"),
    "act norm, periodic": ({"use_act_norm": True}, "channels"),
    "act norm, zero": ({"use_act_norm": True, "padding": "zero"}, "bias"),
    "two fields, three parameters, one of them log-uniform": ({"num_channels": 2, **_THREE_PARAMETERS}, "channels"),
    "widths of its own for each level": ({"width": [4, 6]}, "bias"),
}


def _peer_class():
    path = Path(__file__).parents[2] / "benchmarks" / "torch_glow.py"
    spec = importlib.util.spec_from_file_location("torch_glow", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TorchGlow


def _relative_error(value, reference):
    value, reference = np.asarray(value), np.asarray(reference)
    assert value.shape == reference.shape
    return np.max(np.abs(value - reference) / np.maximum(1.0, np.abs(reference)))


def _name(variable):
    return variable.path.partition("/")[2]


class Pair:
    """Our model and the peer with the same random weights, and a batch."""

    def __init__(self, overrides, condition_as):
        keras.utils.set_random_seed(0)
        self.model = ConditionalGlow.from_preset("tiny", dtype="float64", **{**_SMALL, **overrides})
        rng = np.random.default_rng(1)
        for variable in self.model.trainable_variables:
            variable.assign_add(WEIGHT_SD * rng.standard_normal(variable.shape))
        self.model.map_shift.assign(rng.normal(6.5, 0.1, self.model.num_channels))
        self.model.map_log_scale.assign(rng.normal(-0.5, 0.1, self.model.num_channels))
        self.model.map_lowest.assign(np.full(self.model.num_channels, 5.9))
        self.model.map_highest.assign(np.full(self.model.num_channels, 7.1))
        config = self.model.get_config()
        self.peer = _peer_class()(config, dtype=torch.float64, condition_as=condition_as)
        self.peer.load_weights({_name(variable): variable.numpy() for variable in self.model.weights})
        size, channels = self.model.map_size, self.model.num_channels
        self.maps = 10.0 ** rng.normal(6.5, 0.5, (NUM_MAPS, size, size, channels))
        self.theta = self.model.parameters.sample_uniform(NUM_MAPS, seed=2)
        self.z = rng.standard_normal((NUM_MAPS, size * size * channels))

    def torch_maps(self):
        return torch.tensor(np.moveaxis(self.maps, -1, 1))


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES.keys())
def pair(request):
    return Pair(*request.param)


def test_log_prob_and_every_gradient_agree(pair):
    model, peer = pair.model, pair.peer
    theta = tf.constant(pair.theta)
    variables = {_name(variable): variable for variable in model.trainable_variables}
    with tf.GradientTape() as tape:
        tape.watch(theta)
        ours = tf.reduce_sum(model.density_by_level(tf.constant(pair.maps), theta), axis=-1)
        total = tf.reduce_sum(ours)
    theta_gradient, *gradients = tape.gradient(total, [theta, *(variable.value for variable in variables.values())])

    torch_theta = torch.tensor(pair.theta, requires_grad=True)
    peer.zero_grad()
    reference = peer.log_prob(pair.torch_maps(), torch_theta)
    reference.sum().backward()
    expected = peer.gradients()

    assert _relative_error(ours, reference.detach()) < TOLERANCE
    assert _relative_error(theta_gradient, torch_theta.grad) < TOLERANCE
    assert set(variables) == set(expected)
    errors = {name: _relative_error(g, expected[name]) for name, g in zip(variables, gradients, strict=True)}
    assert all(np.any(gradient) for gradient in expected.values())
    assert max(errors.values()) < TOLERANCE, max(errors, key=errors.get)


def test_decoded_maps_agree(pair):
    theta = tf.constant(pair.theta)
    ours = pair.model.generate(tf.constant(pair.z), theta)
    with torch.no_grad():
        reference = pair.peer.sample(torch.tensor(pair.z), torch.tensor(pair.theta))
    assert _relative_error(ours, np.moveaxis(reference.numpy(), 1, -1)) < TOLERANCE


def test_the_compiled_training_gradients_agree():
    # One level, because compiling takes most of the time.
    pair = Pair({"num_levels": 1}, "channels")
    model, peer = pair.model, pair.peer
    share = tf.fill([NUM_MAPS], tf.constant(1.0 / NUM_MAPS, tf.float64))
    (nll, *_), gradients = model._compiled_gradients(tf.constant(pair.theta)[:, None], tf.constant(pair.maps), share)
    peer.zero_grad()
    reference = -peer.log_prob(pair.torch_maps(), torch.tensor(pair.theta)) / peer.num_pixels
    reference.mean().backward()
    expected = peer.gradients()
    assert _relative_error(nll, reference.detach()) < TOLERANCE
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert _relative_error(gradient, expected[_name(variable)]) < TOLERANCE


def test_the_peer_refuses_weights_of_another_model():
    pair = Pair({}, "bias")
    weights = {_name(variable): variable.numpy() for variable in pair.model.weights}
    with pytest.raises(ValueError, match="level_0/lu_matrix/lu"):
        pair.peer.load_weights({name: array for name, array in weights.items() if name != "level_0/lu_matrix/lu"})
    with pytest.raises(ValueError, match="Expected map_shift of shape"):
        pair.peer.load_weights({**weights, "map_shift": np.zeros(2)})
