"""What a calibration does to a posterior, and how maps are combined."""

import json

import numpy as np
import pytest
from exact_models import TWO, GaussianModel

from higlow_tf.errors import InputError
from higlow_tf.inference import Calibration, infer

# The grid's own tolerance, in standard deviations.
TOLERANCE_SD = 0.01


@pytest.fixture
def model():
    return GaussianModel(TWO, 0.05**2 * np.eye(2))


def test_tempering_and_widening(model):
    maps = model.maps_at([0.1, 0.1])
    posterior = infer(model, maps, calibration=Calibration(tempering=0.25, widening=(0.01, 0.04)))
    np.testing.assert_allclose(posterior.sd[0], np.hypot(0.02, [0.01, 0.04]), rtol=TOLERANCE_SD)
    np.testing.assert_allclose(posterior.mean[0], [0.32, 0.82], atol=TOLERANCE_SD * 0.02)


@pytest.mark.parametrize("widening", [1e-6, 1e-3, 0.01])
def test_a_small_widening_changes_little(model, widening):
    posterior = infer(model, model.maps_at([0.1, 0.1]), calibration=Calibration(widening=widening))
    np.testing.assert_allclose(posterior.sd, np.hypot(0.01, widening), rtol=TOLERANCE_SD)


def test_widening_of_a_log_uniform_parameter_is_in_units_of_theta():
    model = GaussianModel(["A_SN1"], [[0.02**2]])
    raw, wide = (infer(model, model.maps_at([0.5]), calibration=c) for c in (None, Calibration(widening=0.1)))
    # The logarithm is linear over a width of 0.1 / 2 to a few per cent.
    assert wide.sd[0, 0] == pytest.approx(np.hypot(raw.sd[0, 0], 0.1), rel=0.02)


def test_stored_calibration_is_found_and_named(model):
    maps = model.maps_at([0.1, 0.1])
    model.calibration = Calibration(tempering=0.25, label="of 30 simulations")
    stored, raw = infer(model, maps), infer(model, maps, calibration=None)
    np.testing.assert_allclose(stored.sd / raw.sd, 2.0, rtol=TOLERANCE_SD)
    assert stored.calibration.label == "of 30 simulations"
    assert raw.calibration is None
    del model.calibration
    assert infer(model, maps).calibration is None


def test_config_round_trip():
    calibration = Calibration(0.4, (0.01, 0.02), 0.3, "test", 30)
    assert Calibration.from_config(json.loads(json.dumps(calibration.to_config()))) == calibration
    assert Calibration.from_config(json.loads(json.dumps(Calibration().to_config()))) == Calibration()


def test_files_from_before_the_draws_were_adapted_keep_those_of_the_prior():
    config = Calibration(0.4).to_config()
    assert config.pop("nuisance_draws") == "adapted"
    assert Calibration.from_config(config).nuisance_draws == "prior"
    with pytest.raises(InputError, match="nuisance_draws: expected one of adapted, prior. Received: 'none'"):
        Calibration(nuisance_draws="none")


def test_effective_number():
    calibration = Calibration(map_correlation=0.5)
    assert calibration.effective_number(1) == 1.0
    assert calibration.effective_number(3) == 1.5
    assert Calibration(map_correlation=0.0).effective_number(15) == 15.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"tempering": 0.0}, "expected a positive tempering"),
        ({"tempering": np.nan}, "expected a positive number as tempering"),
        ({"widening": -0.1}, "expected a widening of one number >= 0"),
        ({"widening": [[0.1]]}, "expected a widening of one number >= 0"),
        ({"widening": "wide"}, "expected a widening of one number >= 0"),
        ({"map_correlation": 1.1}, "expected map_correlation in 0-1"),
    ],
)
def test_wrong_calibrations(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        Calibration(**arguments)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"tempering": 1.0, "widening": 0.0, "temperature": 1.0},
            "expected the keys tempering, .*Received: temperature",
        ),
        ({"tempering": 1.0}, "expected tempering and widening. Received: no widening"),
        ({}, "expected tempering and widening. Received: no tempering and no widening"),
        ([1.0, 0.0], r"expected the keys tempering, .*Received: \[1\.0, 0\.0\]"),
    ],
)
def test_wrong_configurations(config, sentence):
    with pytest.raises(InputError, match=f"calibration: {sentence}"):
        Calibration.from_config(config)


def test_a_configuration_is_as_good_as_its_calibration(model):
    maps, calibration = model.maps_at([0.1, 0.1]), Calibration(0.25, 0.01)
    found = infer(model, maps, calibration=calibration.to_config())
    np.testing.assert_array_equal(found.log_posterior, infer(model, maps, calibration=calibration).log_posterior)
    assert found.calibration == calibration


def test_wrong_number_of_parameters(model):
    with pytest.raises(InputError, match="expected a widening of one or 2 numbers. Received: 3"):
        infer(model, model.maps_at([0.1, 0.1]), calibration=Calibration(widening=(0.1, 0.1, 0.1)))


def test_independent_maps_multiply(model, rng):
    maps = model.simulate(np.tile([[0.3, 0.8]], (4, 1)), rng)
    posterior = infer(model, maps, combine="independent")
    assert posterior.mean.shape == (1, 2)
    np.testing.assert_allclose(posterior.sd, 0.01 / 2.0, rtol=TOLERANCE_SD)
    expected = model.parameters.denormalize(maps[:, 0].mean(axis=0))
    np.testing.assert_allclose(posterior.mean[0], expected, atol=TOLERANCE_SD * 0.005)
    assert posterior.combine == "independent"


def test_maps_of_a_simulation_count_by_their_effective_number(model, rng):
    maps = model.simulate(np.tile([[0.3, 0.8]], (6, 1)), rng)
    calibration = Calibration(map_correlation=0.5)
    posterior = infer(model, maps, combine=[7, 7, 3, 7, 3, 5], calibration=calibration)
    np.testing.assert_array_equal(posterior.simulation, [3, 5, 7])
    effective = np.array([2 / 1.5, 1.0, 3 / 2.0])
    np.testing.assert_allclose(posterior.sd, (0.01 / np.sqrt(effective))[:, None] * [1, 1], rtol=TOLERANCE_SD)
    assert "simulation 7: 3 maps count as 1.50 independent ones (map_correlation 0.5)" in posterior.notes
    by_argument = infer(model, maps, combine=[7, 7, 3, 7, 3, 5], map_correlation=0.5)
    np.testing.assert_allclose(by_argument.mean, posterior.mean)
    assert by_argument.calibration == calibration


def test_wrong_combinations(model):
    maps = model.maps_at([0.1, 0.1], [0.1, 0.2])
    with pytest.raises(InputError, match="maps of one simulation are not independent"):
        infer(model, maps, combine=[0, 0])
    for wrong in ("dependent", [0], [0.5, 1.5]):
        with pytest.raises(InputError, match="combine: expected None, 'independent', or the simulation of each of 2"):
            infer(model, maps, combine=wrong)
