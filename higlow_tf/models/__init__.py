"""Keras models: the conditional Glow, its presets, saving and training."""

from higlow_tf.models.conditional_glow import ConditionalGlow
from higlow_tf.models.glow_level import GlowLevel
from higlow_tf.models.presets import PRESETS, preset

__all__ = ["PRESETS", "ConditionalGlow", "GlowLevel", "preset"]
