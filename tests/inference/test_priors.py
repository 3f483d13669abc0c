"""Priors, alone and inside a posterior."""

import numpy as np
import pytest
from exact_models import TWO, GaussianModel

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.inference import Prior, infer

# The grid's own tolerance, in standard deviations.
TOLERANCE_SD = 0.01
SPACE = ParameterSpace.from_names(TWO)


@pytest.fixture
def model():
    return GaussianModel(TWO, 0.1**2 * np.eye(2))


def test_normal_prior_is_conjugate(model):
    posterior = infer(model, model.maps_at([0.2, 0.1]), Prior(normal={"sigma_8": (0.83, 0.03)}))
    # The likelihood of sigma_8 is N(0.82, 0.02).
    precision = 1 / 0.02**2 + 1 / 0.03**2
    mean = (0.82 / 0.02**2 + 0.83 / 0.03**2) / precision
    assert abs(posterior.mean[0, 1] - mean) * np.sqrt(precision) < TOLERANCE_SD
    assert posterior.sd[0, 1] * np.sqrt(precision) == pytest.approx(1.0, rel=TOLERANCE_SD)
    assert posterior.mean[0, 0] == pytest.approx(0.34, abs=TOLERANCE_SD * 0.02)


def test_function_gives_the_same_as_the_normal(model):
    maps = model.maps_at([0.2, 0.1])
    of_normal = infer(model, maps, Prior(normal={"sigma_8": (0.83, 0.03)}))
    of_function = infer(model, maps, Prior(log_prob=lambda theta: -0.5 * ((theta[:, 1] - 0.83) / 0.03) ** 2))
    np.testing.assert_allclose(of_function.log_posterior, of_normal.log_posterior, atol=1e-8)
    assert "lambda" in of_function.prior["log_prob"]


def test_density_of_a_function_is_per_unit_of_theta():
    # Uniform in theta: then a log-uniform parameter has the mean of a uniform one.
    model = GaussianModel(["A_SN1"], [[1e12]])
    posterior = infer(model, model.maps_at([0.0]), Prior(log_prob=lambda theta: 0.0 * theta[:, 0]))
    assert posterior.mean[0, 0] == pytest.approx(0.5 * (0.25 + 4.0), rel=1e-3)  # midpoint sum over 128 cells
    assert posterior.sd[0, 0] == pytest.approx(3.75 / np.sqrt(12.0), rel=1e-3)


def test_normal_of_a_log_uniform_parameter_is_one_of_its_logarithm():
    model = GaussianModel(["A_SN1"], [[1e12]])
    posterior = infer(model, model.maps_at([0.0]), Prior(normal={"A_SN1": (1.2, 0.1)}))
    assert posterior.map_estimate[0, 0] == pytest.approx(1.2, rel=1e-3)
    assert posterior.mean[0, 0] == pytest.approx(1.2 * np.exp(0.5 * 0.1**2), rel=1e-3)


def test_narrower_box_cuts(model):
    posterior = infer(model, model.maps_at([0.2, 0.1]), Prior(low={"Omega_m": 0.33}, high={"Omega_m": 0.36}))
    assert posterior.theta_grid[..., 0].min() > 0.33
    assert posterior.theta_grid[..., 0].max() < 0.36
    assert posterior.prior["low"] == pytest.approx({"Omega_m": 0.33, "sigma_8": 0.6})
    assert posterior.hpd_level([[0.37, 0.82]]) == [1.0]


def test_wider_box_is_refused_unless_asked_for(model):
    prior = Prior(high={"Omega_m": 0.6})
    with pytest.raises(InputError, match=r"allow_extrapolation=True. Received: Omega_m in \[0.1, 0.6\], trained in"):
        infer(model, model.maps_at([1.0, 0.1]), prior)
    with pytest.warns(InputWarning, match="The prior is wider than that of training"):
        posterior = infer(model, model.maps_at([1.0, 0.1]), prior, allow_extrapolation=True)
    assert posterior.mean[0, 0] == pytest.approx(0.5, abs=TOLERANCE_SD * 0.02)


def test_edges_written_with_few_digits_are_those_of_training():
    assert Prior(high={"Omega_m": 0.5 + 1e-8}).bind(SPACE).high[0] == pytest.approx(1.0)


def test_config_is_physical():
    config = Prior(low={"Omega_m": 0.2}, normal={"sigma_8": (0.81, 0.02)}).bind(SPACE).to_config()
    assert config["low"] == pytest.approx({"Omega_m": 0.2, "sigma_8": 0.6})
    assert config["normal"]["sigma_8"] == pytest.approx([0.81, 0.02])
    assert config["log_prob"] is None


@pytest.mark.parametrize(
    ("prior", "sentence"),
    [
        (Prior(low={"omega_m": 0.2}), "did you mean 'Omega_m'"),
        (Prior(low={"Omega_m": 0.4}, high={"Omega_m": 0.3}), "expected low < high for Omega_m"),
        (Prior(low={"Omega_m": "a"}), "expected a finite number as low of Omega_m"),
        (Prior(normal={"sigma_8": (0.8, 0.0)}), "with sd > 0 as normal of sigma_8"),
        (Prior(normal={"sigma_8": 0.8}), "with sd > 0 as normal of sigma_8"),
        (Prior(log_prob=3.0), "expected log_prob to be a function"),
    ],
)
def test_wrong_priors(prior, sentence):
    with pytest.raises(InputError, match=sentence):
        prior.bind(SPACE)


def test_wrong_values_of_a_function(model):
    maps = model.maps_at([0.2, 0.1])
    for function in (lambda theta: theta, lambda theta: 0.0):
        with pytest.raises(InputError, match="expected log_prob to give one number a row of theta"):
            infer(model, maps, Prior(log_prob=function))
    with pytest.raises(InputError, match="expected log_prob to be finite or -inf inside the prior. Received: nan"):
        infer(model, maps, Prior(log_prob=lambda theta: np.nan * theta[:, 0]))


def test_functions_that_differ_in_a_small_region_have_other_fingerprints():
    space = ParameterSpace.from_names(["Omega_m", "sigma_8"])

    def bump(at):
        return Prior(log_prob=lambda theta: -np.sum((theta - at) ** 2, axis=-1) < -0.01).bind(space).fingerprint()

    assert bump([0.2, 0.9]) != bump([0.4, 0.7])
    assert bump([0.2, 0.9])["values"] == bump([0.2, 0.9])["values"]
