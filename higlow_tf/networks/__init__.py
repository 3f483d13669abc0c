"""Keras layers that own every weight of the flow, stacked over the steps of a level."""

from higlow_tf.networks.act_norm_weights import StackedActNormWeights
from higlow_tf.networks.convolution import PADDINGS, conv1x1, conv3x3
from higlow_tf.networks.coupling_network import StackedCouplingNetwork, apply_coupling_network
from higlow_tf.networks.curve_knots import knots_through
from higlow_tf.networks.curve_network import CurveNetwork
from higlow_tf.networks.end_layer_weights import NUM_KNOTS, EndLayerWeights, condition_features, wave_numbers
from higlow_tf.networks.filter_network import FilterNetwork
from higlow_tf.networks.injector_network import StackedInjectorNetwork
from higlow_tf.networks.lu_matrix import StackedLUMatrix
from higlow_tf.networks.masked_network import MaskedAutoregressiveNetwork
from higlow_tf.networks.pixel_curve_weights import PixelCurveWeights
from higlow_tf.networks.soft_clamp import soft_clamp, soft_clamp_inverse

__all__ = [
    "NUM_KNOTS",
    "PADDINGS",
    "CurveNetwork",
    "EndLayerWeights",
    "FilterNetwork",
    "MaskedAutoregressiveNetwork",
    "PixelCurveWeights",
    "StackedActNormWeights",
    "StackedCouplingNetwork",
    "StackedInjectorNetwork",
    "StackedLUMatrix",
    "apply_coupling_network",
    "condition_features",
    "conv1x1",
    "conv3x3",
    "knots_through",
    "soft_clamp",
    "soft_clamp_inverse",
    "wave_numbers",
]
