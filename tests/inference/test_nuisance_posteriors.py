"""Posteriors that integrate over nuisance parameters, beside marginal posteriors that are known."""

import numpy as np
import pytest
from exact_models import TWO, GaussianModel, TensorFlowGaussianModel
from scipy.special import logsumexp

from higlow_tf.data.parameters import ParameterSpec
from higlow_tf.errors import InputError
from higlow_tf.inference import Calibration, MarginalLikelihood, Prior, TypicalityReference, infer
from higlow_tf.inference.likelihood import MapLikelihood

# The nuisance parameter stands between the two of interest, so that an order that is mixed up is seen.
NAMES = ("Omega_m", "A_SN1", "sigma_8")
SD = np.array([0.15, 0.2, 0.12])
CORRELATION = np.array([[1.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 1.0]])
COVARIANCE = np.outer(SD, SD) * CORRELATION
# Errors of mean and sd, in standard deviations, with 32 and 256 draws of a nuisance parameter whose likelihood is a tenth of
# its prior wide; the draws fill it evenly, but not regularly.
TOLERANCE_SD = {32: 0.1, 256: 0.03}


@pytest.fixture
def model():
    model = GaussianModel(NAMES, COVARIANCE)
    model.nuisance = ("A_SN1",)
    return model


def exact(model, hi_map):
    """Mean and sd, physical, of the parameters of interest: of a Gaussian whose nuisance parameter is far from its edges."""
    kept = [0, 2]
    per_unit = model.parameters.normalized_per_unit[kept]
    return model.parameters.denormalize(hi_map[0])[kept], SD[kept] / per_unit


@pytest.mark.parametrize("kind", ["adapted", "prior"])
@pytest.mark.parametrize("num_draws", TOLERANCE_SD)
def test_the_marginal_posterior_is_that_of_the_gaussian(model, num_draws, kind):
    maps = model.maps_at([0.1, 0.0, -0.2], [-0.3, 0.1, 0.4])
    posterior = infer(model, maps, num_nuisance_draws=num_draws, calibration=Calibration(nuisance_draws=kind))
    assert posterior.parameters.names == TWO
    assert posterior.prior["low"].keys() == set(TWO)
    for row, hi_map in enumerate(maps):
        mean, sd = exact(model, hi_map)
        np.testing.assert_allclose((posterior.mean[row] - mean) / sd, 0.0, atol=TOLERANCE_SD[num_draws])
        np.testing.assert_allclose(posterior.sd[row] / sd, 1.0, atol=TOLERANCE_SD[num_draws])
    # At fixed others, sd / prior width * sqrt(4 pi) of the draws of the prior count; of those that are adapted most do.
    conditional = 1.0 / np.sqrt(model.precision[1, 1])
    expected = num_draws * conditional * np.sqrt(np.pi)
    ess = posterior.diagnostics["nuisance_ess"]
    if kind == "prior":
        np.testing.assert_allclose(ess, expected, rtol=0.3)
    else:
        assert np.all(ess > 1.8 * expected)
    assert posterior.notes == ()


def test_draws_that_are_adapted_find_what_those_of_the_prior_miss():
    """A nuisance parameter that is known to a hundredth of its prior, and pulls one of interest with it."""
    sd = np.array([0.15, 0.02, 0.12])
    model = GaussianModel(NAMES, np.outer(sd, sd) * [[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
    model.nuisance = ("A_SN1",)
    maps = model.maps_at([0.1, 0.03, -0.2], [-0.2, -0.41, 0.1])
    per_unit = model.parameters.normalized_per_unit[[0, 2]]
    mean = np.stack([model.parameters.denormalize(hi_map[0])[[0, 2]] for hi_map in maps])
    for kind in ("adapted", "prior"):
        posterior = infer(model, maps, calibration=Calibration(nuisance_draws=kind))
        off = np.abs(posterior.mean - mean).max(axis=1) / (sd[0] / per_unit[0])
        ratio = posterior.sd[:, 0] / (sd[0] / per_unit[0])
        if kind == "adapted":
            assert np.all(off < 0.05)
            np.testing.assert_allclose(ratio, 1.0, atol=0.05)
            assert posterior.diagnostics["nuisance_ess"].min() > 8.0
        else:
            # One draw decides, and nothing is varied against it.
            assert np.all(off > 0.3)
            assert posterior.diagnostics["nuisance_ess"].max() < 1.5


def test_without_nuisance_all_parameters_are_inferred(model):
    maps = model.maps_at([0.1, 0.0, -0.2])
    posterior = infer(model, maps, nuisance=())
    assert posterior.parameters.names == NAMES
    np.testing.assert_allclose(posterior.marginal("A_SN1").mean, np.exp(0.5 * (SD[1] * np.log(4.0)) ** 2), rtol=0.003)
    assert "nuisance_ess" not in posterior.diagnostics
    del model.nuisance
    np.testing.assert_array_equal(infer(model, maps).log_posterior, posterior.log_posterior)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("importance", "adapted"),
        ("importance", "prior"),
        ("nuts", "prior"),
        pytest.param("nuts", "adapted", marks=pytest.mark.slow),
    ],
)
def test_samplers_integrate_as_the_grid_does(method, kind):
    names = (ParameterSpec("a", "a", 0.0, 1.0), ParameterSpec("n", "n", 0.0, 2.0), ParameterSpec("b", "b", -1.0, 1.0))
    model = TensorFlowGaussianModel(names, COVARIANCE)
    maps = model.maps_at([0.1, 0.0, -0.2], [-0.2, 0.2, 0.1])
    options = {"num_draws": 1000} if method == "importance" else {"num_draws": 500, "jit_compile": False}
    how = {"nuisance": ("n",), "num_nuisance_draws": 16, "calibration": Calibration(nuisance_draws=kind)}
    grid, draws = infer(model, maps, **how), infer(model, maps, method=method, **how, **options)
    assert draws.parameters.names == ("a", "b")
    np.testing.assert_allclose((draws.mean - grid.mean) / grid.sd, 0.0, atol=0.2)
    np.testing.assert_allclose(draws.sd / grid.sd, 1.0, atol=0.15)


def test_draws_are_averaged_outside_the_copies():
    """Log mean over draws of exp(mean over copies), not the mean over copies of the log mean over draws."""

    class Pixels:
        parameters = GaussianModel(("Omega_m", "A_SN1"), np.eye(2)).parameters
        nuisance = ("A_SN1",)

        def log_prob(self, hi_maps, theta):
            return 30.0 * hi_maps[:, 0, 0] * self.parameters.normalize(theta).sum(axis=1)

    model, hi_map = Pixels(), np.arange(16.0).reshape(4, 4) / 16.0
    marginal = MarginalLikelihood(model, nuisance_draws="prior")
    likelihood = MapLikelihood(marginal, hi_map, 0, num_symmetries=3)
    theta = np.array([[0.3], [0.4]])
    rows = marginal.rows(theta)
    of_copies = np.array([model.log_prob(np.broadcast_to(copy, (64, 4, 4)), rows) for copy in likelihood.copies])
    expected = logsumexp(of_copies.mean(axis=0).reshape(2, 32), axis=1) - np.log(32)
    np.testing.assert_allclose(likelihood(theta), expected)
    averaged, plain = likelihood.averaged_and_plain(theta)
    np.testing.assert_allclose(averaged, expected)
    np.testing.assert_allclose(plain, logsumexp(of_copies[0].reshape(2, 32), axis=1) - np.log(32))


def test_rows_have_the_order_of_the_model(model):
    marginal = MarginalLikelihood(model, num_draws=4)
    rows = marginal.rows([[0.3, 0.8], [0.2, 0.9]])
    np.testing.assert_array_equal(rows[:, 0], np.repeat([0.3, 0.2], 4))
    np.testing.assert_array_equal(rows[:, 2], np.repeat([0.8, 0.9], 4))
    np.testing.assert_array_equal(rows[:4, 1], rows[4:, 1])
    # One in each quarter of the prior.
    quarters = np.floor(2.0 * (model.parameters.normalize(rows[:4])[:, 1] + 1.0))
    np.testing.assert_array_equal(np.sort(quarters), [0, 1, 2, 3])


def test_a_peaked_likelihood_is_said_to_be_rough():
    model = GaussianModel(NAMES, np.diag([0.15, 0.005, 0.12]) ** 2)
    model.nuisance = ("A_SN1",)
    posterior = infer(model, model.maps_at([0.1, 0.0, -0.2]), calibration=Calibration(nuisance_draws="prior"))
    assert posterior.diagnostics["nuisance_ess"][0] < 3.0
    assert "map 0: the draws of the nuisance parameters count as only" in posterior.notes[0]


def test_a_prior_is_that_of_the_parameters_of_interest(model):
    maps = model.maps_at([0.1, 0.0, -0.2])
    posterior = infer(model, maps, Prior(low={"Omega_m": 0.31}))
    assert posterior.theta_grid[..., 0].min() > 0.31
    with pytest.raises(InputError, match="prior: expected the names Omega_m, sigma_8 in low"):
        infer(model, maps, Prior(low={"A_SN1": 0.5}))


def test_maps_are_combined_as_without_nuisance(model):
    maps = model.maps_at([0.1, 0.0, -0.2], [0.1, 0.0, -0.2])
    single, joint = infer(model, maps[:1]), infer(model, maps, combine="independent")
    np.testing.assert_allclose(joint.sd / single.sd[0], np.sqrt(0.5), rtol=0.05)


def test_a_calibration_knows_its_parameters(model):
    maps = model.maps_at([0.1, 0.0, -0.2])
    model.calibration = Calibration(0.5, (0.0, 0.0), parameters=TWO).to_config()
    assert infer(model, maps).calibration.parameters == TWO
    with pytest.raises(InputError, match="calibration: expected one of Omega_m, A_SN1, sigma_8, .* Omega_m, sigma_8"):
        infer(model, maps, nuisance=())
    assert infer(model, maps, nuisance=(), calibration=None).calibration is None


def test_features_of_a_map_are_taken_at_its_best_draw(model, monkeypatch):
    """With the parameters of the model, and the nuisance draw under which the map is most probable."""
    seen = []

    def features(asked, hi_maps, theta):
        seen.append(theta)
        return np.zeros((len(theta), 1)), ("log10_percentile_50",)

    monkeypatch.setattr("higlow_tf.inference.map_warnings.typicality_features", features)
    rng = np.random.default_rng(0)
    space = MarginalLikelihood(model).parameters
    model.typicality = TypicalityReference.fit(
        rng.normal(size=(40, 1)), ("log10_percentile_50",), space.sample_uniform(40, 0), np.arange(40), space
    )
    posterior = infer(model, model.maps_at([0.1, 0.37, -0.2]))
    np.testing.assert_allclose(seen[0][:, [0, 2]], posterior.mean)
    # The draws are a sixteenth of the prior apart, at most two.
    assert abs(model.parameters.normalize(seen[0])[0, 1] - 0.37) < 0.125
    infer(model, model.maps_at([0.1, 0.37, -0.2]), nuisance=())
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"nuisance": ("A_SN",)},
            "nuisance: expected some of Omega_m, A_SN1, sigma_8, each once .did you mean 'A_SN1'",
        ),
        ({"nuisance": ("A_SN1", "A_SN1")}, "each once"),
        ({"nuisance": NAMES}, "at least one of .* to be left. Received: all of them"),
        ({"num_nuisance_draws": 0}, "num_nuisance_draws: expected a positive integer. Received: 0"),
    ],
)
def test_wrong_arguments(model, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        infer(model, model.maps_at([0.0, 0.0, 0.0]), **arguments)


def test_other_draws_are_other_answers(model, tmp_path):
    maps = model.maps_at([0.1, 0.0, -0.2])
    first = infer(model, maps, cache_dir=tmp_path)
    infer(model, maps, cache_dir=tmp_path, num_nuisance_draws=16)
    infer(model, maps, cache_dir=tmp_path, nuisance=("A_SN1", "sigma_8"))
    again = infer(model, maps, cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    np.testing.assert_array_equal(again.log_posterior, first.log_posterior)
    assert again.diagnostics["nuisance_ess"] == first.diagnostics["nuisance_ess"]
