"""The model of a preset, of whichever class it is."""

from higlow_tf.models.conditional_glow import ConditionalGlow
from higlow_tf.models.hiflow import HIFlow
from higlow_tf.models.presets import preset
from higlow_tf.models.trenf import TRENF

__all__ = ["model_from_preset"]


def model_from_preset(name, **arguments):
    """Builds a preset of `ConditionalGlow`, `HIFlow` or `TRENF`; arguments as in their `from_preset`.

    Raises:
        InputError: If the preset or an argument does not exist.
    """
    preset(name)
    kind = next(kind for kind in (ConditionalGlow, HIFlow, TRENF) if name in kind.presets)
    return kind.from_preset(name, **arguments)
