"""The contract itself: every check rejects a flow that is broken in its way."""

from dataclasses import replace

import keras
import pytest
import tensorflow as tf
from flow_cases import CASES, FlowCase
from flow_contract import CHECKS
from requirements import ContractError

from higlow_tf.models import HIFlow

# One block of four pixels: 12 w1 and w1_condition, 3 b1, 24 w2, 16 w2_condition, 8 b2.
SOUND = FlowCase(HIFlow, {"map_size": 2, "num_blocks": 1, "width": 3, "seed": 2}, 69, {})


class WrongInverse(HIFlow):
    def infer_latents(self, hi_maps, theta):
        return 1.001 * super().infer_latents(hi_maps, theta)


class LogDet(HIFlow):
    """Multiplies the log-determinant by a factor."""

    factor = 1.0

    def _latents_by_level(self, x, conditional_input):
        return [(z, self.factor * ildj) for z, ildj in super()._latents_by_level(x, conditional_input)]


class LogDetWithoutFactor(LogDet):
    factor = 0.25


class LogDetOfTheWrongSign(LogDet):
    factor = -1.0


class NotNormalised(HIFlow):
    def density_by_level(self, hi_maps, theta):
        return super().density_by_level(hi_maps, theta) + 0.3


class LevelsThatDoNotAddUp(HIFlow):
    def log_prob(self, hi_maps, theta):
        return 2.0 * super().log_prob(hi_maps, theta)


class IgnoresTheta(HIFlow):
    def normalize(self, theta):
        return tf.zeros_like(super().normalize(theta))


class IgnoresOneParameter(HIFlow):
    def normalize(self, theta):
        return super().normalize(theta) * [1.0, 0.0]


class LeaksAcrossTheBatch(HIFlow):
    def density_by_level(self, hi_maps, theta):
        return super().density_by_level(hi_maps, theta - 0.01 * tf.reduce_mean(theta, axis=0))


class SamplesOfAnotherBase(HIFlow):
    def noise(self, row_seeds):
        return 1.2 * super().noise(row_seeds)


class TemperatureOfTheVariance(HIFlow):
    def sample(self, theta, seed=0, temperature=1.0, *, count=None, first_row=0):
        return super().sample(theta, seed, temperature**0.5, count=count, first_row=first_row)


class PartsBeginAnew(HIFlow):
    def sample(self, theta, seed=0, temperature=1.0, *, count=None, first_row=0):
        return super().sample(theta, seed, temperature, count=count)


class OneSeedForAllRows(HIFlow):
    def noise(self, row_seeds):
        return super().noise(row_seeds * [1, 0])


class ForgetsWhatIsNotGiven(HIFlow):
    def complete_theta(self, values, count=None, seed=0, first_row=0):
        middle = dict(zip(self.parameters.names, self.parameters.middle, strict=True))
        return super().complete_theta(middle | values, count, seed, first_row)


class DrawsInPartsBeginAnew(HIFlow):
    def complete_theta(self, values, count=None, seed=0, first_row=0):
        return super().complete_theta(values, count, seed)


class OverwritesWhatIsGiven(HIFlow):
    def complete_theta(self, values, count=None, seed=0, first_row=0):
        return super().complete_theta({}, count, seed, first_row)


class OneBadMapSpoilsAll(HIFlow):
    def density_by_level(self, hi_maps, theta):
        by_level = super().density_by_level(hi_maps, theta)
        return by_level + 0.0 * tf.reduce_sum(by_level)


class NumbersForBadMaps(HIFlow):
    def density_by_level(self, hi_maps, theta):
        return super().density_by_level(tf.where(hi_maps > 0.0, hi_maps, 1.0), theta)


class NoGradient(HIFlow):
    def density_by_level(self, hi_maps, theta):
        return tf.stop_gradient(super().density_by_level(hi_maps, theta))


class UnusedWeight(HIFlow):
    def _add_scaler_weights(self):
        super()._add_scaler_weights()
        self.unused = self.add_weight(name="unused", shape=())


class StartsInACall(HIFlow):
    def density_by_level(self, hi_maps, theta):
        self.map_shift.assign(self.map_shift + 0.1)
        return super().density_by_level(hi_maps, theta)


class DropsAnArgument(HIFlow):
    def get_config(self):
        return {key: value for key, value in super().get_config().items() if key != "max_log_scale"}


class ForgetsAnArgument(HIFlow):
    def get_config(self):
        return {**super().get_config(), "ordering": "reversed"}


@keras.saving.register_keras_serializable(package="tests")
class StateThatIsNotSaved(HIFlow):
    factor = 1.0

    def compile(self, *arguments, **keywords):
        super().compile(*arguments, **keywords)
        self.factor = 2.0

    def density_by_level(self, hi_maps, theta):
        return self.factor * super().density_by_level(hi_maps, theta)


class HalfPrecision(HIFlow):
    def density_by_level(self, hi_maps, theta):
        by_level = super().density_by_level(hi_maps, theta)
        return by_level if by_level.dtype == tf.float64 else tf.cast(tf.cast(by_level, tf.float16), tf.float32)


class SinglePrecision(HIFlow):
    def density_by_level(self, hi_maps, theta):
        return tf.cast(super().density_by_level(hi_maps, theta), tf.float32)


class AnyNumberOfLatents(HIFlow):
    def decode(self, z, theta):
        return super().decode(tf.pad(z, [[0, 0], [0, self.num_dimensions - z.shape[1]]]), theta)


class StaticBatchSize(HIFlow):
    def density_by_level(self, hi_maps, theta):
        return super().density_by_level(hi_maps, theta) * (hi_maps.shape[0] or 1)


# What is broken: (the check that must see it, the flow, a part of what the check says)
BROKEN = {
    "wrong inverse": ("inverse", WrongInverse, "latents of decoded latents"),
    "log-det without a factor": ("change of variables", LogDetWithoutFactor, "against base and autodiff"),
    "log-det of the wrong sign": ("change of variables", LogDetOfTheWrongSign, "against base and autodiff"),
    "not normalised": ("integral", NotNormalised, "integral: expected 1"),
    "log-det of the wrong sign, integrated": ("integral", LogDetOfTheWrongSign, "integral: expected 1"),
    "levels that do not add up": ("levels", LevelsThatDoNotAddUp, "sum over levels"),
    "ignores theta": ("parameters", IgnoresTheta, "Omega_m to change log_prob"),
    "ignores one parameter": ("parameters", IgnoresOneParameter, "sigma_8 to change log_prob"),
    "leaks across the batch": ("rows", LeaksAcrossTheBatch, "log_prob beside other rows"),
    "samples of another base": ("base", SamplesOfAnotherBase, r"expected N\(0, 1\)"),
    "temperature of the variance": ("base", TemperatureOfTheVariance, "half the temperature"),
    "parts begin anew": ("seeds", PartsBeginAnew, "samples in parts"),
    "one seed for all rows": ("seeds", OneSeedForAllRows, "another map in every row"),
    "forgets what is not given": ("names", ForgetsWhatIsNotGiven, "a draw of its own for each"),
    "draws in parts begin anew": ("names", DrawsInPartsBeginAnew, "completed rows in parts"),
    "overwrites what is given": ("names", OverwritesWhatIsGiven, "what is given, in completed rows"),
    "samples by name begin anew": ("names", PartsBeginAnew, "samples by name in parts"),
    "one bad map spoils all": ("bad maps", OneBadMapSpoilsAll, "log_prob beside bad maps"),
    "numbers for bad maps": ("bad maps", NumbersForBadMaps, "a pixel of 0.0: expected NaN"),
    "no gradient": ("gradients", NoGradient, "None"),
    "a weight that is not used": ("gradients", UnusedWeight, "unused"),
    "a weight too many": ("number of weights", UnusedWeight, "expected 69. Received: 70"),
    "starts in a call": ("weights unchanged", StartsInACall, "map_shift after a call"),
    "drops an argument": ("configuration", DropsAnArgument, "Missing: .'max_log_scale'"),
    "forgets an argument": ("configuration", ForgetsAnArgument, "made from the configuration"),
    "state that is not saved": ("saving", StateThatIsNotSaved, "log_prob of the loaded model"),
    "half precision": ("precisions", HalfPrecision, "log_prob in float32"),
    "single precision": ("precisions", SinglePrecision, "expected float64 and float32"),
    "any number of latents": ("shapes", AnyNumberOfLatents, "too few latents"),
    "static batch size": ("graph", StaticBatchSize, "log_prob of a graph"),
}


def test_the_sound_flow_passes():
    assert SOUND.kind is CASES["HIFlow"].kind
    for check in CHECKS.values():
        check(SOUND)


@pytest.mark.parametrize("name", BROKEN)
def test_rejects(name):
    check, kind, message = BROKEN[name]
    with pytest.raises(ContractError, match=message):
        CHECKS[check](replace(SOUND, kind=kind))


def test_every_check_rejects_something():
    assert {check for check, _, _ in BROKEN.values()} == set(CHECKS)
