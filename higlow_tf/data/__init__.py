"""Maps and parameters: readers, splits by simulation, scalers, pipelines and the lognormal suite."""

from higlow_tf.data import lognormal, mock
from higlow_tf.data.cmd import load_cmd
from higlow_tf.data.dataset import HIMapDataset
from higlow_tf.data.floor import ZeroFloor
from higlow_tf.data.map_files import load_maps_only
from higlow_tf.data.parameter_info import read_parameter_info
from higlow_tf.data.parameters import CAMELS_PARAMETERS, ParameterSpace, ParameterSpec
from higlow_tf.data.scalers import MapScaler, fit_map_scaler
from higlow_tf.data.splits import split_simulations

__all__ = [
    "CAMELS_PARAMETERS",
    "HIMapDataset",
    "MapScaler",
    "ParameterSpace",
    "ParameterSpec",
    "ZeroFloor",
    "fit_map_scaler",
    "load_cmd",
    "load_maps_only",
    "lognormal",
    "mock",
    "read_parameter_info",
    "split_simulations",
]
