"""The signatures on a toy density whose posterior NumPy gives."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.inference import symmetry_indices
from higlow_tf.serving.served_likelihood import CHUNK_SIZE
from higlow_tf.serving.signatures import make_signatures

# Sums of at most 200 float32 terms of order one.
FLOAT32_TOLERANCE = 1e-5


def one_row_of_noise(row_seed):
    return tf.random.stateless_normal([2], row_seed, alg="philox")


class ToyFlow:
    """Has the graph functions of a model; its log-density is a parabola in theta around values given by the map."""

    map_size, num_channels = 2, 2
    parameters = ParameterSpace.from_names(["Omega_m", "sigma_8"])

    def __init__(self):
        self.batch_sizes = []

    def density_by_level(self, hi_maps, theta):
        self.batch_sizes.append(hi_maps.shape[0])
        return -200.0 * (theta - hi_maps[:, 0, 0, :]) ** 2 - 1e3

    def noise(self, row_seeds):
        return tf.map_fn(one_row_of_noise, row_seeds, fn_output_signature=tf.TensorSpec([2], tf.float32))

    def generate(self, z, theta):
        return tf.reshape(tf.concat([z, theta, z, theta], axis=-1), [-1, 2, 2, 2])


def run(signatures, name, **inputs):
    outputs = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
    return {key: value.numpy() for key, value in outputs.items()}


def numpy_posterior(hi_map, theta_grid, tempering, widening):
    log_prob = np.sum(-200.0 * (theta_grid - hi_map[:, None, 0, 0, :]) ** 2 - 1e3, axis=-1, dtype=np.float64)
    weights = np.exp(tempering * (log_prob - log_prob.max(axis=1, keepdims=True)))[..., None]
    weights /= weights.sum(axis=1, keepdims=True)
    mean = np.sum(weights * theta_grid, axis=1)
    variance = np.sum(weights * (theta_grid - mean[:, None]) ** 2, axis=1)
    return {"log_prob": log_prob, "posterior_mean": mean, "posterior_sd": np.sqrt(variance + np.square(widening))}


def toy_inputs(num_maps, num_points):
    rng = np.random.default_rng(0)
    hi_map = rng.uniform(0.3, 0.7, (num_maps, 2, 2, 2)).astype(np.float32)
    return hi_map, rng.uniform(0.1, 0.9, (num_maps, num_points, 2)).astype(np.float32)


CALIBRATED = {"tempering": 0.3, "widening": [0.1, 0.02]}
RAW = {"tempering": 1.0, "widening": [0.0, 0.0]}


@pytest.fixture(scope="module")
def toy_signatures():
    return {"raw": make_signatures(ToyFlow(), **RAW), "calibrated": make_signatures(ToyFlow(), **CALIBRATED)}


@pytest.mark.parametrize(("num_maps", "num_points"), [(1, 1), (1, CHUNK_SIZE), (3, CHUNK_SIZE + 1), (7, 200)])
@pytest.mark.parametrize(("kind", "calibration"), [("raw", RAW), ("calibrated", CALIBRATED)])
def test_posterior_is_numpys_for_any_number_of_points(toy_signatures, kind, calibration, num_maps, num_points):
    hi_map, theta_grid = toy_inputs(num_maps, num_points)
    found = run(toy_signatures[kind], "posterior", hi_map=hi_map, theta_grid=theta_grid)
    for name, expected in numpy_posterior(hi_map, theta_grid, **calibration).items():
        np.testing.assert_allclose(found[name], expected, rtol=FLOAT32_TOLERANCE, atol=FLOAT32_TOLERANCE, err_msg=name)


def test_posterior_averages_over_symmetric_copies():
    signatures = make_signatures(ToyFlow(), **CALIBRATED, num_symmetries=3)
    hi_map, theta_grid = toy_inputs(3, CHUNK_SIZE + 1)
    found = run(signatures, "posterior", hi_map=hi_map, theta_grid=theta_grid)
    copies = hi_map.reshape(3, 4, 2)[:, symmetry_indices(2, 3)].reshape(3, 3, 2, 2, 2)
    by_copy = [numpy_posterior(copies[:, t], theta_grid, **CALIBRATED)["log_prob"] for t in range(3)]
    np.testing.assert_allclose(found["log_prob"], by_copy[0], rtol=FLOAT32_TOLERANCE)  # that of the map itself
    weights = np.exp(CALIBRATED["tempering"] * (np.mean(by_copy, axis=0) + 1e3))[..., None]
    mean = np.sum(weights * theta_grid, axis=1) / np.sum(weights, axis=1)
    np.testing.assert_allclose(found["posterior_mean"], mean, atol=FLOAT32_TOLERANCE)


def test_calibration_changes_moments_but_not_log_prob(toy_signatures):
    hi_map, theta_grid = toy_inputs(2, 50)
    raw, calibrated = (
        run(toy_signatures[kind], "posterior", hi_map=hi_map, theta_grid=theta_grid) for kind in ("raw", "calibrated")
    )
    np.testing.assert_array_equal(raw["log_prob"], calibrated["log_prob"])
    assert np.all(calibrated["posterior_sd"] > 1.2 * raw["posterior_sd"])
    assert np.all(np.abs(calibrated["posterior_mean"] - raw["posterior_mean"]) > FLOAT32_TOLERANCE)


def test_the_density_does_not_know_how_many_maps_it_has():
    """Where it knows, a Glow divides them into chunks for XLA, which costs without XLA."""
    flow = ToyFlow()
    make_signatures(flow)
    assert set(flow.batch_sizes) == {None}


def test_the_grid_is_worked_through_in_chunks():
    class FlowOfAChunk(ToyFlow):
        def density_by_level(self, hi_maps, theta):
            with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(hi_maps)[0], CHUNK_SIZE)]):
                return super().density_by_level(tf.identity(hi_maps), theta)

    signatures = make_signatures(FlowOfAChunk())
    hi_map, theta_grid = toy_inputs(2, CHUNK_SIZE)
    run(signatures, "posterior", hi_map=hi_map, theta_grid=theta_grid)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(signatures, "log_prob", hi_map=hi_map, theta=theta_grid[:, 0])


def test_no_maps_give_no_rows(toy_signatures):
    hi_map, theta_grid = toy_inputs(0, 5)
    found = run(toy_signatures["raw"], "posterior", hi_map=hi_map, theta_grid=theta_grid)
    assert {name: value.shape for name, value in found.items()} == {
        "log_prob": (0, 5),
        "posterior_mean": (0, 2),
        "posterior_sd": (0, 2),
        "posterior_covariance": (0, 2, 2),
        "inside_prior": (0,),
        "typicality": (0,),
    }


def test_temperature_scales_the_latents_of_its_row(toy_signatures):
    theta, seed = np.full((2, 2), 0.5, np.float32), np.array([[1, 2], [3, 4]])
    found = run(toy_signatures["raw"], "sample", theta=theta, seed=seed, temperature=np.float32([1.0, 0.5]))["hi_map"]
    expected = [one_row_of_noise(seed[0]), 0.5 * one_row_of_noise(seed[1])]
    np.testing.assert_allclose(found[:, 0, 0, :], expected, rtol=FLOAT32_TOLERANCE)


@pytest.mark.parametrize(("rows", "name"), [((2, 3, 2), "seed"), ((2, 2, 1), "temperature")])
def test_unequal_rows_are_refused(toy_signatures, rows, name):
    theta, seed = np.ones((rows[0], 2), np.float32), np.ones((rows[1], 2), np.int64)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"Expected as many rows of {name} as of theta"):
        run(toy_signatures["raw"], "sample", theta=theta, seed=seed, temperature=np.ones(rows[2], np.float32))


def test_xla_with_a_fixed_batch_is_the_graph():
    """Samples too: the random numbers must not come from XLA, which draws others from the same seed."""
    compiled = make_signatures(ToyFlow(), batch_size=3, jit_compile=True)
    graph = make_signatures(ToyFlow())
    assert compiled["sample"].structured_outputs["hi_map"].shape == [3, 2, 2, 2]
    hi_map, theta_grid = toy_inputs(3, 30)
    inputs = {
        "log_prob": {"hi_map": hi_map, "theta": theta_grid[:, 0]},
        "posterior": {"hi_map": hi_map, "theta_grid": theta_grid},
        "sample": {
            "theta": theta_grid[:, 0],
            "seed": np.array([[0, 1], [0, 2], [1, 1]]),
            "temperature": np.ones(3, np.float32),
        },
    }
    for name, arguments in inputs.items():
        expected = run(graph, name, **arguments)
        for output, value in run(compiled, name, **arguments).items():
            np.testing.assert_allclose(value, expected[output], rtol=FLOAT32_TOLERANCE, err_msg=output)


def test_xla_compiles_the_flow_and_only_on_request():
    def num_compiled(signatures):
        functions = signatures["log_prob"].graph.as_graph_def().library.function
        return sum(function.attr["_XlaMustCompile"].b for function in functions)

    assert num_compiled(make_signatures(ToyFlow())) == 0
    assert num_compiled(make_signatures(ToyFlow(), batch_size=3, jit_compile=True)) > 0
