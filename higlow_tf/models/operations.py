"""Counted operations of a flow: how many multiplications and additions its matrix products need."""

from dataclasses import dataclass

from higlow_tf.errors import InputError

__all__ = ["Operations", "count_operations"]

# Of the matrix products of a training step: one pass forwards, and two on the way back, for the gradients of the input and of
# the weights. What a program computes twice to save memory is not counted: it is a cost of that program.
_PASSES = {"log_prob": 1, "sample": 1, "train": 3}


@dataclass(frozen=True)
class Operations:
    """Floating-point operations of matrix products; a product of `[m, k]` and `[k, n]` has 2 m k n.

    Attributes:
        per_map: Of each map of a batch.
        per_call: Of a batch of any size: the matrices of the 1x1 convolutions from their factors.
    """

    per_map: int
    per_call: int

    def of_batch(self, batch_size):
        """Operations of one call with so many maps."""
        return batch_size * self.per_map + self.per_call


def count_operations(model, task="log_prob"):
    """Operations that a task needs, whatever program does it. Additions and functions of single numbers are not counted.

    Args:
        model: `ConditionalGlow` or `HIFlow`.
        task: "log_prob", "sample" or "train" (value and gradients of the weights).

    Returns:
        `Operations`.

    Raises:
        InputError: If the task is unknown, or it is not known how to count a model of this class.

    Example:
        >>> from higlow_tf.models import ConditionalGlow
        >>> count_operations(ConditionalGlow.from_preset("tiny")).per_map
        261216
    """
    if task not in _PASSES:
        raise InputError(f"task: expected one of {', '.join(_PASSES)}. Received: {task!r}.")
    if hasattr(model, "levels"):
        levels = [_of_level(level, model.map_size // 2 ** (number + 1)) for number, level in enumerate(model.levels)]
        per_map = sum(level for level in levels)
        per_call = sum(_of_lu_factors(level, task) for level in model.levels)
    elif hasattr(model, "blocks"):
        per_map, per_call = sum(_of_block(block) for block in model.blocks), 0
    else:
        raise InputError(f"Expected a ConditionalGlow or a HIFlow. Received: {type(model).__name__}.")
    return Operations(_PASSES[task] * per_map, _PASSES[task] * per_call)


def _of_level(level, side):
    """Operations of one map in a `GlowLevel` whose maps have `side` x `side` pixels after the squeeze."""
    of, channels, pixels = level.architecture, level.channels, side**2
    num_outputs = 1 if of.injector == "scalar" else channels
    step = _of_coupling_network(of, channels, pixels) + _of_injector(of, num_outputs) + 2 * channels**2 * pixels
    total = of.num_steps * step
    if level.end_network is not None:
        total += _of_injector(of, channels) if level.is_last else _of_coupling_network(of, channels, pixels)
    return total


def _of_coupling_network(of, channels, pixels):
    """Of one step: 3x3, 1x1 and 3x3 convolution, the condition, and the mean over the map."""
    read, changed = channels // 2, channels - channels // 2
    convolutions = 9 * read * of.width + of.width**2 + 9 * of.width * 2 * changed
    once = of.num_parameters * of.width + (of.width**2 if of.use_map_mean else 0)
    return 2 * (convolutions * pixels + once)


def _of_injector(of, num_outputs):
    return 2 * of.injector_width * (of.num_parameters + 2 * num_outputs)


def _of_lu_factors(level, task):
    """The product of two factors; to sample, also the inverses of both, each by products of blocks that double in size."""
    channels = level.channels
    products = 2 * channels**3
    if task == "sample":
        products += 2 * sum(2 * 2 * block**3 * (channels // (2 * block)) for block in _blocks(channels))
    return level.architecture.num_steps * products


def _blocks(channels):
    size = 1
    while size < channels:
        yield size
        size *= 2


def _of_block(block):
    """Of one map in a `MaskedAutoregressiveNetwork`; the masked halves of its matrices are multiplied, too."""
    size, width = block.num_dimensions, block.width
    return 2 * (3 * size * width + block.num_parameters * (width + 2 * size))
