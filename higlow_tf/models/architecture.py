"""What the steps of a Glow are made of: one record, handed down from the model to its levels."""

from dataclasses import dataclass

from higlow_tf.errors import InputError
from higlow_tf.networks import PADDINGS
from higlow_tf.networks.defaults import MAX_LOG_SCALE

__all__ = ["INJECTORS", "GlowArchitecture"]

INJECTORS = ("scalar", "channel")
_AT_LEAST_ONE = ("num_steps", "width", "num_parameters", "injector_width")


@dataclass(frozen=True)
class GlowArchitecture:
    """The architecture of the steps of one level. The defaults are also those of `ConditionalGlow`.

    Attributes:
        num_steps: K, the steps of a level.
        width: Hidden channels of the coupling networks.
        num_parameters: P, the length of a condition.
        injector: "channel" (one number a channel) or "scalar" (one number a map, as in the paper).
        injector_width: Hidden units of the injectors.
        padding: "periodic" (the maps are) or "zero".
        use_split_prior: Whether what leaves a level has a mean and a scale that are learned from what stays and from the
            condition.
        use_map_mean: Whether the coupling networks see means over the whole map (see `StackedCouplingNetwork`).
        use_act_norm: Whether a step has an activation normalisation beside the injector.
        max_log_scale: Bound of every log-scale of a step.
        keep_activations: Whether training keeps the hidden activations of a step, or evaluates them again on the way back,
            which takes longer and less memory. No number changes.

    Raises:
        InputError: If the injector or the padding is unknown, or a number is not positive.

    Example:
        >>> GlowArchitecture(num_steps=2, width=8).padding
        'periodic'
    """

    num_steps: int = 8
    width: int = 32
    num_parameters: int = 2
    injector: str = "channel"
    injector_width: int = 16
    padding: str = "periodic"
    use_split_prior: bool = True
    use_map_mean: bool = False
    use_act_norm: bool = False
    max_log_scale: float = MAX_LOG_SCALE
    keep_activations: bool = True

    def __post_init__(self):
        if self.injector not in INJECTORS:
            raise InputError(f"Expected an injector of {INJECTORS}. Received: {self.injector!r}.")
        if self.padding not in PADDINGS:
            raise InputError(f"Expected a padding of {PADDINGS}. Received: {self.padding!r}.")
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise InputError(f"Expected {name} of at least 1. Received: {getattr(self, name)}.")
        if not self.max_log_scale > 0:
            raise InputError(f"Expected a positive max_log_scale. Received: {self.max_log_scale}.")
