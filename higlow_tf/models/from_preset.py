"""The model of a preset, of whichever class it is."""

from higlow_tf.models.conditional_glow import ConditionalGlow
from higlow_tf.models.hiflow import HIFlow
from higlow_tf.models.presets import preset

__all__ = ["model_from_preset"]


def model_from_preset(name, **arguments):
    """Builds a preset of `ConditionalGlow` or of `HIFlow`; arguments as in their `from_preset`.

    Raises:
        InputError: If the preset or an argument does not exist.
    """
    preset(name)
    kind = HIFlow if name in HIFlow.presets else ConditionalGlow
    return kind.from_preset(name, **arguments)
