"""Keras models: the conditional Glow, HIFlow and TRENF, their presets, and saving."""

from higlow_tf.compiled_programs import keep_compiled_programs
from higlow_tf.gallery import fetch_model
from higlow_tf.models.architecture import GlowArchitecture
from higlow_tf.models.conditional_glow import ConditionalGlow
from higlow_tf.models.end_layer_fit import EndLayerFit, fit_end_layers
from higlow_tf.models.from_preset import model_from_preset
from higlow_tf.models.glow_level import GlowLevel
from higlow_tf.models.hiflow import HIFlow
from higlow_tf.models.map_flow import MapFlow
from higlow_tf.models.operations import Operations, count_operations
from higlow_tf.models.presets import HIFLOW_PRESETS, PRESETS, TRENF_PRESETS, preset
from higlow_tf.models.sample_files import write_samples
from higlow_tf.models.saving import load_model, save_model
from higlow_tf.models.trenf import TRENF

__all__ = [
    "HIFLOW_PRESETS",
    "PRESETS",
    "TRENF",
    "TRENF_PRESETS",
    "ConditionalGlow",
    "EndLayerFit",
    "GlowArchitecture",
    "GlowLevel",
    "HIFlow",
    "Operations",
    "count_operations",
    "fetch_model",
    "MapFlow",
    "fit_end_layers",
    "keep_compiled_programs",
    "load_model",
    "model_from_preset",
    "preset",
    "save_model",
    "write_samples",
]
