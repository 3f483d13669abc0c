"""Conditional multiscale Glow for maps of neutral hydrogen: maps, their density, and the posterior of the parameters."""

from higlow_tf import data
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.models import ConditionalGlow, load_model, save_model

__all__ = ["ConditionalGlow", "InputError", "InputWarning", "data", "load_model", "save_model"]
