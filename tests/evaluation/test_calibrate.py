"""The calibration of a model whose likelihood is known, with a nuisance parameter and with few points."""

import numpy as np
import pytest

from higlow_tf.data import HIMapDataset, ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.evaluation import CalibrationOptions, calibrate, judge_calibration
from higlow_tf.evaluation.answers import ModelAnswers
from higlow_tf.evaluation.posterior_scores import score_posteriors
from higlow_tf.inference import Calibration
from higlow_tf.inference.nuisance_proposal import NUM_FIT_EVALUATIONS

NAMES, OF_INTEREST = ("Omega_m", "A_SN1", "sigma_8"), ("Omega_m", "sigma_8")
SPACE = ParameterSpace.from_names(NAMES)
SD = np.array([0.3, 0.4, 0.25])


class FirstPixels:
    """The first three of 16 pixels are normalised parameters plus noise, all others noise; in log10."""

    parameters, nuisance = SPACE, ("A_SN1",)
    split = calibration = typicality = None
    latent_shapes = ((1, 4, 4),)

    def __init__(self):
        self.num_rows = 0

    def encode(self, hi_maps, theta):
        latents = np.log10(np.asarray(hi_maps, np.float64)).reshape(len(hi_maps), 16)
        latents[:, :3] = (latents[:, :3] - SPACE.normalize(theta)) / SD
        return latents

    def log_prob(self, hi_maps, theta):
        self.num_rows += len(theta)
        return -0.5 * np.sum(self.encode(hi_maps, theta) ** 2, axis=1)

    def log_prob_by_level(self, hi_maps, theta):
        return self.log_prob(hi_maps, theta)[:, None]


def maps_of(num_simulations, seed, maps_per_simulation=1):
    theta = np.repeat(SPACE.sample_uniform(num_simulations, seed), maps_per_simulation, axis=0)
    latents = np.random.default_rng(seed).standard_normal((len(theta), 16))
    latents[:, :3] = SPACE.normalize(theta) + SD * latents[:, :3]
    return HIMapDataset.from_arrays(10.0 ** latents.reshape(-1, 4, 4), theta, parameters=SPACE)


@pytest.fixture(scope="module")
def calibrated():
    model = FirstPixels()
    options = CalibrationOptions(num_symmetries=1)
    return model, *calibrate(model, maps_of(60, 0), maps_of(60, 1), options)


def test_the_repair_is_that_of_the_parameters_of_interest(calibrated):
    _, fit, judgement = calibrated
    assert fit.calibration.parameters == OF_INTEREST
    assert fit.calibration.nuisance_draws == "adapted"
    assert fit.typicality.parameters.names == OF_INTEREST
    # The likelihood is exact.
    assert abs(fit.calibration.tempering - 1.0) < 4.0 * fit.calibration_fit.tempering_error < 1.2
    for posteriors in judgement.sets.values():
        assert posteriors.truth.shape == posteriors.mean.shape == (60, 2)
        np.testing.assert_array_equal(posteriors.truth, maps_of(60, 1).theta[:, [0, 2]])
    # A calibrated posterior: 68 +- 6 %.
    assert abs(judgement.metrics["raw_coverage_68"].value - 0.68) < 0.18
    assert judgement.metrics["raw_pull2"].value == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize(("kind", "num_more"), [("prior", 0), ("adapted", NUM_FIT_EVALUATIONS)])
def test_the_draws_are_those_of_the_calibration(kind, num_more):
    model, options = FirstPixels(), CalibrationOptions(num_symmetries=1)
    judge_calibration(model, maps_of(5, 3), Calibration(nuisance_draws=kind), options)
    # Likelihoods as wide as these need no more points.
    assert model.num_rows == 5 * (64 * 32 + num_more)


def test_posteriors_are_scored_by_the_parameters_of_interest(calibrated):
    model, _, _ = calibrated
    scores = score_posteriors(ModelAnswers(model), maps_of(20, 2))
    assert scores.truth.shape == (20, 2)
    assert {"rmse_Omega_m", "rmse_sigma_8"} <= scores.metrics.keys()
    assert not any("A_SN1" in name for name in scores.metrics)


def test_maps_of_a_simulation_are_also_judged_together(tmp_path):
    """Their noise is independent: three of them have posteriors that are narrower by the root of three, and calibrated."""
    options = CalibrationOptions(points_per_axis=6, num_symmetries=1)
    fit, judgement = calibrate(FirstPixels(), maps_of(24, 5, 3), maps_of(30, 6, 3), options)
    assert fit.calibration.map_correlation < 0.3
    joint = judgement.sets["joint_"]
    assert joint.title == "3 maps together, calibrated"
    assert joint.mean.shape == (30, 2)
    assert np.median(joint.sd / judgement.sets[""].sd[::3]) == pytest.approx(3**-0.5, abs=0.15)
    # 30 simulations: 68 +- 9 %, and a mean squared pull with an error of 0.18.
    assert abs(judgement.metrics["joint_coverage_68"].value - 0.68) < 0.25
    assert judgement.metrics["joint_pull2"].value == pytest.approx(1.0, abs=0.6)
    assert any("all maps of a simulation" in row[0] for row in judgement.rows(fit.calibration_fit))
    judgement.save(tmp_path / "posteriors.npz")
    with np.load(tmp_path / "posteriors.npz") as stored:
        assert set(stored) == {"simulation"} | {
            f"{n}{k}" for n in judgement.sets for k in ("mean", "sd", "truth", "gain")
        }
        for name in judgement.sets:
            gain = judgement.metrics[f"{name}information_gain_nats"].value
            assert np.mean(stored[f"{name}gain"]) == pytest.approx(gain, rel=1e-9)


def test_another_calibration_is_refused(calibrated):
    model, fit, _ = calibrated
    model = FirstPixels()
    model.nuisance = ("sigma_8",)
    with pytest.raises(InputError, match="calibration: expected one of Omega_m, A_SN1, or None.*Omega_m, sigma_8"):
        judge_calibration(model, maps_of(20, 3), fit.calibration)


@pytest.mark.parametrize(
    ("bumps", "first", "last", "refined"), [(0.0, 6, 6, "none"), (3.0, 6, 11, "bumpy"), (0.0, 5, 9, "all")]
)
def test_points_are_added_where_splines_are_not_exact(bumps, first, last, refined):
    """A cubic spline through six points is exact for a Gaussian, with bumps it is not. Of five points nobody can tell."""

    class Bumpy(FirstPixels):
        nuisance = ()
        parameters = ParameterSpace.from_names(["Omega_m"])
        calibration = {"tempering": 1.0, "widening": 0.0}

        def log_prob(self, hi_maps, theta):
            self.num_rows += len(theta)
            x = self.parameters.normalize(theta)[:, 0]
            is_bumpy = hi_maps[:, 3, 3] > 1.0
            return is_bumpy * bumps * np.sin(7.0 * x) - 0.5 * (np.log10(hi_maps[:, 0, 0]) - x) ** 2 / SD[0] ** 2

    model, test = Bumpy(), maps_of(8, 4).with_parameters(Bumpy.parameters)
    judgement = judge_calibration(model, test, options=CalibrationOptions(points_per_axis=first, num_symmetries=1))
    num_bumpy = int(np.sum(test.maps[:, 3, 3] > 1.0))
    allowed = {"none": [0], "bumpy": range(1, num_bumpy + 1), "all": [8]}[refined]
    assert num_bumpy < 8
    assert model.num_rows in [8 * first + number * (last - first) for number in allowed]
    # The others are not disturbed by what is added: as with many points.
    many = judge_calibration(model, test, options=CalibrationOptions(points_per_axis=33, num_symmetries=1))
    for name in judgement.sets:
        off = (judgement.sets[name].mean - many.sets[name].mean) / many.sets[name].sd
        assert np.sqrt(np.mean(off**2)) < 0.2
