"""TFP bijectors of the flow; forward is latent -> map, inverse is map -> latent."""

from higlow_tf.bijectors.act_norm import ActNorm
from higlow_tf.bijectors.affine_injector import AffineInjector
from higlow_tf.bijectors.band_powers import BandPowers
from higlow_tf.bijectors.check_bijector import check_bijector
from higlow_tf.bijectors.conditional_affine_coupling import ConditionalAffineCoupling
from higlow_tf.bijectors.conditional_chain import ConditionalChain
from higlow_tf.bijectors.hartley_transform import HartleyTransform
from higlow_tf.bijectors.invertible_conv1x1 import Conv1x1Kernel, InvertibleConv1x1
from higlow_tf.bijectors.isotropic_filter import IsotropicFilter
from higlow_tf.bijectors.logarithmic_tails import LogarithmicTails
from higlow_tf.bijectors.map_preprocessing import Exp10, MapPreprocessing
from higlow_tf.bijectors.masked_autoregressive import MaskedAutoregressive
from higlow_tf.bijectors.monotone_curve import MonotoneCurve
from higlow_tf.bijectors.multiscale import Multiscale
from higlow_tf.bijectors.one_pass import OnePassBijector
from higlow_tf.bijectors.repeated_steps import RepeatedSteps
from higlow_tf.bijectors.requirements import ContractError
from higlow_tf.bijectors.squeeze import Squeeze

__all__ = [
    "ActNorm",
    "AffineInjector",
    "BandPowers",
    "ConditionalAffineCoupling",
    "ConditionalChain",
    "ContractError",
    "Conv1x1Kernel",
    "Exp10",
    "HartleyTransform",
    "InvertibleConv1x1",
    "IsotropicFilter",
    "LogarithmicTails",
    "MapPreprocessing",
    "MaskedAutoregressive",
    "MonotoneCurve",
    "Multiscale",
    "OnePassBijector",
    "RepeatedSteps",
    "Squeeze",
    "check_bijector",
]
