"""Keras models: the conditional Glow and HIFlow, their presets, saving and training."""

from higlow_tf.models.conditional_glow import ConditionalGlow
from higlow_tf.models.from_preset import model_from_preset
from higlow_tf.models.glow_level import GlowLevel
from higlow_tf.models.hiflow import HIFlow
from higlow_tf.models.presets import HIFLOW_PRESETS, PRESETS, preset
from higlow_tf.models.run_config import RunConfig, read_run_config
from higlow_tf.models.run_directory import RunDirectory
from higlow_tf.models.saving import load_model, save_model
from higlow_tf.models.split_record import maps_for_testing, subset_of
from higlow_tf.models.trainer import train_run

__all__ = [
    "HIFLOW_PRESETS",
    "PRESETS",
    "ConditionalGlow",
    "GlowLevel",
    "HIFlow",
    "RunConfig",
    "RunDirectory",
    "load_model",
    "maps_for_testing",
    "model_from_preset",
    "preset",
    "read_run_config",
    "save_model",
    "subset_of",
    "train_run",
]
