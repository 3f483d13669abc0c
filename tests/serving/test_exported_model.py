"""The exported model answers as the Python model, row by row, in any process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from higlow_tf.inference import Calibration, infer
from higlow_tf.inference.symmetry import symmetric_copies

# Float32 sums over 256 pixels whose order depends on the batch size. Denominator max(1, |value|).
FLOAT32_TOLERANCE = 1e-5
# A log_prob of some 300 nats may differ by that tolerance, 3e-3; the tempering of 0.02 makes 6e-5 of it.
MOMENT_TOLERANCE = 1e-4
# What a user of the served posterior may rely on.
SHIFT_IN_SD = 1e-3
# The graph of a tiny model has the flow five times, some 300 kB each; its 26 kB of weights are stored once.
MAX_TINY_BYTES, MAX_TINY_VARIABLE_BYTES = 1_800_000, 40_000

_FRESH_PROCESS = """
import sys
for blocked in ("higlow_tf", "tensorflow_probability"):
    sys.modules[blocked] = None  # an import of it fails
import numpy as np, tensorflow as tf
path, inputs, output = sys.argv[1:]
inputs = {name: tf.constant(array) for name, array in np.load(inputs).items()}
np.save(output, tf.saved_model.load(path).signatures["log_prob"](**inputs)["log_prob"].numpy())
"""


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    error = np.abs(actual - expected) / np.maximum(1.0, np.abs(expected))
    assert np.max(error) < FLOAT32_TOLERANCE  # false for NaN


def log_prob(served, maps, theta, signature="log_prob"):
    return served.signatures[signature](hi_map=tf.constant(maps), theta=tf.constant(theta))["log_prob"].numpy()


def sample(served, theta, seeds, temperature):
    inputs = {"theta": theta, "seed": np.asarray(seeds, np.int64), "temperature": np.asarray(temperature, np.float32)}
    return served.signatures["sample"](**{name: tf.constant(value) for name, value in inputs.items()})["hi_map"].numpy()


def test_names_dtypes_and_shapes_are_the_specified_ones(served):
    def shapes(specs):
        return {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in specs.items()}

    maps, theta = ("float32", [None, 16, 16]), ("float32", [None, 2])
    rows = ("float32", [None])
    is_inside = ("bool", [None])
    density = ({"hi_map": maps, "theta": theta}, {"log_prob": rows, "inside_prior": is_inside})
    found = {
        name: (shapes(function.structured_input_signature[1]), shapes(function.structured_outputs))
        for name, function in served.signatures.items()
    }
    assert found == {
        "log_prob": density,
        "serving_default": density,
        "sample": (
            {"theta": theta, "seed": ("int64", [None, 2]), "temperature": rows},
            {"hi_map": maps, "inside_prior": is_inside},
        ),
        "posterior": (
            {"hi_map": maps, "theta_grid": ("float32", [None, None, 2])},
            {
                "log_prob": ("float32", [None, None]),
                "posterior_mean": theta,
                "posterior_sd": theta,
                "posterior_covariance": ("float32", [None, 2, 2]),
                "inside_prior": is_inside,
                "typicality": rows,
            },
        ),
    }


@pytest.mark.parametrize("signature", ["log_prob", "serving_default"])
def test_log_prob_is_the_models(served, signature):
    expected = served.model.log_prob(served.maps, served.theta)
    assert_close(log_prob(served, served.maps, served.theta, signature), expected)


def test_rows_do_not_depend_on_their_batch(served):
    together = log_prob(served, served.maps, served.theta)
    assert_close(log_prob(served, served.maps[3:4], served.theta[3:4]), together[3:4])
    seeds = np.stack([np.full(10, 7), np.arange(10)], axis=-1)
    maps = sample(served, served.theta, seeds, np.ones(10))
    assert_close(sample(served, served.theta[3:4], seeds[3:4], [1.0]), maps[3:4])


def test_equal_row_seeds_give_what_the_model_samples(served):
    seeds = np.stack([np.full(10, 7), np.arange(10)], axis=-1)
    expected = served.model.sample(served.theta, seed=7).numpy()
    assert_close(sample(served, served.theta, seeds, np.ones(10)), expected)


def test_each_row_has_its_own_temperature(served):
    seeds = np.stack([np.full(10, 7), np.arange(10)], axis=-1)
    temperature = np.linspace(0.0, 1.0, 10)
    maps = sample(served, served.theta, seeds, temperature)
    cool = served.model.sample(served.theta, seed=7, temperature=temperature[4]).numpy()[4]
    assert_close(maps[4], cool)
    assert np.std(np.log10(maps[0])) < np.std(np.log10(maps[9]))


@pytest.mark.parametrize("pixel", [0.0, -1.0, np.nan, np.inf])
def test_a_bad_map_gives_nan_in_its_own_row_only(served, pixel):
    maps = served.maps[:3].copy()
    maps[1, 5, 5] = pixel
    is_good = [True, False, True]
    found = log_prob(served, maps, served.theta[:3])
    assert np.isnan(found[1])
    assert_close(found[is_good], log_prob(served, served.maps[:3], served.theta[:3])[is_good])
    grid = tf.constant(np.repeat(served.theta[None, :4], 3, axis=0))
    outputs = served.signatures["posterior"](hi_map=tf.constant(maps), theta_grid=grid)
    assert outputs.pop("inside_prior").numpy().all()  # the map may be bad, the parameters are not
    for name, output in outputs.items():
        is_nan = np.isnan(output.numpy())
        assert is_nan[1].all(), name
        assert not is_nan[is_good].any(), name


def test_posterior_is_the_models_on_the_grid_of_each_map(served):
    """3 maps on 40 points are 120 pairs: one chunk of 64 and a part of another."""
    grid = np.stack([served.model.parameters.sample_uniform(40, seed=row) for row in range(3)]).astype(np.float32)
    found = served.signatures["posterior"](hi_map=tf.constant(served.maps[:3]), theta_grid=tf.constant(grid))
    copies = np.stack([symmetric_copies(hi_map, served.calibration["num_symmetries"]) for hi_map in served.maps[:3]])
    of_copies = [
        served.model.log_prob(np.repeat(maps, 40, axis=0), grid.reshape(-1, 2)).numpy().reshape(3, 40)
        for maps in np.swapaxes(copies, 0, 1)
    ]
    assert_close(found["log_prob"], of_copies[0])  # that of the map itself
    expected = np.mean(of_copies, axis=0)
    relative = served.calibration["tempering"] * (expected - expected.max(axis=1, keepdims=True))
    weights = (np.exp(relative) / np.exp(relative).sum(axis=1, keepdims=True))[..., None]
    mean = np.sum(weights * grid, axis=1)
    offset = grid - mean[:, None]
    covariance = np.swapaxes(weights * offset, 1, 2) @ offset + np.diag(np.square(served.calibration["widening"]))
    np.testing.assert_allclose(found["posterior_mean"], mean, rtol=MOMENT_TOLERANCE)
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    np.testing.assert_allclose(found["posterior_sd"], sd, rtol=MOMENT_TOLERANCE)
    # Correlations: a covariance near zero has no digits to compare.
    scale = sd[:, :, None] * sd[:, None]
    np.testing.assert_allclose(found["posterior_covariance"] / scale, covariance / scale, atol=MOMENT_TOLERANCE)
    found_covariance = found["posterior_covariance"].numpy()
    np.testing.assert_array_equal(found_covariance, np.swapaxes(found_covariance, 1, 2))


def test_posterior_means_are_those_of_infer(served):
    """On the points of `infer`, which are not those of a lattice over the prior."""
    acting = ("tempering", "num_symmetries")
    calibration = Calibration(**{name: served.calibration[name] for name in acting})
    expected = infer(served.model, served.maps[:2], calibration=calibration)
    inputs = {"hi_map": tf.constant(served.maps[:2]), "theta_grid": tf.constant(expected.theta_grid, tf.float32)}
    found = served.signatures["posterior"](**inputs)
    shift = (found["posterior_mean"].numpy() - expected.mean) / expected.sd
    assert np.abs(shift).max() < SHIFT_IN_SD
    variance = np.square(expected.sd) + np.square(served.calibration["widening"])
    np.testing.assert_allclose(found["posterior_sd"], np.sqrt(variance), rtol=2 * SHIFT_IN_SD)


def test_it_is_small(served):
    sizes = {path.relative_to(served.path): path.stat().st_size for path in served.path.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < MAX_TINY_BYTES
    assert sizes[Path("variables/variables.data-00000-of-00001")] < MAX_TINY_VARIABLE_BYTES


def test_the_graph_keeps_nothing_for_a_gradient(served):
    record = saved_model_pb2.SavedModel()
    record.ParseFromString((served.path / "saved_model.pb").read_bytes())
    nodes = [node for function in record.meta_graphs[0].graph_def.library.function for node in function.node_def]
    assert nodes
    assert not any("_gradient_op_type" in node.attr for node in nodes)


def _run(arguments, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return np.load(tmp_path / "output.npy")


def test_a_fresh_process_without_our_package_gives_the_same(served, tmp_path):
    np.savez(tmp_path / "inputs.npz", hi_map=served.maps, theta=served.theta)
    found = _run(["-c", _FRESH_PROCESS, served.path, "inputs.npz", "output.npy"], tmp_path)
    assert_close(found, log_prob(served, served.maps, served.theta))
