"""K steps of one level as one rolled loop."""

import contextlib

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector
from higlow_tf.cores import takes_whole_batches
from higlow_tf.kept_activations import is_forward_only, keeping, reusing
from higlow_tf.layout import CHANNEL_AXIS, batch_size

__all__ = ["RepeatedSteps"]

# Pixels times maps that run through all steps together on one or two CPU cores. What a step touches then stays in the cache,
# and this saved a quarter of the time.
_PIXELS_IN_CACHE = 2048


class RepeatedSteps(OnePassBijector):
    """Runs the same kind of step K times, each with its own slice of stacked weights.

    Type:     [..., H, W, C] -> [..., H, W, C], given conditional_input [..., P]

    Forward:  y = step_0(step_1(... step_{K-1}(x)))   # latent -> map
    Inverse:  x = step_{K-1}**-1(... step_0**-1(y))   # map -> latent
    fldj:     sum of the steps' fldj
    ildj:     -fldj
    where     step_k = make_step(*k-th slices of stacked_weights_fn(conditional_input, direction))

    This is one `while_loop`, so that the graph does not grow with K. Its gradient is written here: it stores the input of
    every step, and those activations that the step marks with `keep`, and evaluates the rest of a step again on the way back.
    XLA compiles it with the gradient tape outside (it does not compile a plain loop). Second derivatives are not available.

    Args:
        make_step: Callable `(shared, per_map) -> bijector` from one slice (axis 0 removed) of each of the two trees to a
            shape-preserving `OnePassBijector`. It must use no other trainable tensor.
        stacked_weights_fn: Callable `(conditional_input [N, P], direction) -> (shared, per_map)`: a tree of tensors
            `[K, ...]` that serve all maps and a tree of tensors `[K, ..., N]` with one value a map; direction is
            "forward" or "inverse". What does not depend on the map is computed there, once for all steps.
        num_steps: K.
        kept_channels: Channels of each activation that a step marks with `higlow_tf.kept_activations.keep`, in its order; none
            for one that evaluates all of them again, in less memory.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required.

    Raises:
        TypeError: If `conditional_input` is missing.
        ValueError: If a step marks other activations.
    """

    def __init__(self, make_step, stacked_weights_fn, num_steps, kept_channels=(), name="repeated_steps"):
        parameters = dict(locals())
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._make_step = make_step
        self._stacked_weights_fn = stacked_weights_fn
        self._num_steps = num_steps
        self.kept_channels = tuple(kept_channels)

    def forward_and_log_det(self, x, conditional_input=None):
        return self._run(x, conditional_input, "forward")

    def inverse_and_log_det(self, y, conditional_input=None):
        return self._run(y, conditional_input, "inverse")

    def _run(self, x, conditional_input, direction):
        trees = self._stacked_weights_fn(conditional_input, direction)
        chunk_size = _chunk_size(x)
        num_shared = len(tf.nest.flatten(trees[0]))

        def one_step(x, conditional_input, slices):
            step = self._make_step(*tf.nest.pack_sequence_as(trees, slices))
            y, log_det = getattr(step, f"{direction}_and_log_det")(x, conditional_input)
            return tf.ensure_shape(y, x.shape), log_det

        loop = _CheckpointedLoop(one_step, self._num_steps, direction == "inverse", num_shared, self.kept_channels)
        leaves = tf.nest.flatten(trees)
        per_map = [_to_chunks(leaf, chunk_size) for leaf in leaves[num_shared:]]
        conditions = _to_chunks(tf.transpose(conditional_input), chunk_size)
        y, log_det = loop(_to_chunks(x, chunk_size), conditions, *leaves[:num_shared], *per_map)
        return _from_chunks(y, x), tf.reshape(log_det, [batch_size(x)])


def _chunk_size(x):
    """The most maps of a batch, in equal chunks, that stay in the cache."""
    num_maps, pixels = x.shape[-1], x.shape[1] * x.shape[2]
    if num_maps is None or takes_whole_batches():
        return batch_size(x)
    fitting = max(_PIXELS_IN_CACHE // pixels, 1)
    return max(size for size in range(1, min(num_maps, fitting) + 1) if num_maps % size == 0)


def _to_chunks(x, chunk_size):
    """`[..., N] -> [N / chunk_size, ..., chunk_size]`."""
    last = x.shape.rank - 1
    split = tf.reshape(x, tf.concat([tf.shape(x)[:last], [-1, chunk_size]], axis=0))
    split.set_shape([*x.shape[:last], *_static_chunks(x.shape[last], chunk_size)])
    return tf.transpose(split, [last, *range(last), last + 1])


def _static_chunks(num_maps, chunk_size):
    """Static number of chunks and of maps in one, None where unknown; a chunk of unknown size is the only one."""
    if num_maps is None:
        return 1, None
    return num_maps // chunk_size, chunk_size


def _from_chunks(chunks, like):
    last = like.shape.rank - 1
    x = tf.transpose(chunks, [*range(1, last + 1), 0, last + 1])
    return tf.ensure_shape(tf.reshape(x, tf.shape(like)), like.shape)


class _CheckpointedLoop:
    """Chunks of maps, and in each the steps 0..K-1 (or K-1..0), with a gradient that keeps what the steps say.

    Called with x `[J, C, H, W, n]`, conditions `[J, P, n]`, shared weights `[K, ...]` and weights of a map
    `[J, K, ..., n]`; returns y like x and log-determinants `[J, n]`.

    One loop runs over the steps of all chunks, t = 0..J*K-1: XLA drops what is kept where no gradient is asked for, but not out
    of two loops. And it compiles every small kernel by itself, so that compiling takes as long as there are kernels: each array
    has one index, and the gradients of shared weights are added up where they stand.
    """

    def __init__(self, one_step, num_steps, is_ascending, num_shared, kept_channels):
        self._one_step = one_step
        self._kept_channels = kept_channels
        self._num_steps = num_steps
        self._num_shared = num_shared
        self._is_ascending = is_ascending

    def __call__(self, *inputs):
        if is_forward_only():
            return self._forwards((), *inputs)[:2]
        return tf.custom_gradient(self._with_gradient)(*inputs)

    def _with_gradient(self, x, conditions, *leaves):
        ys, log_dets, kept = self._forwards((x.shape[1], *self._kept_channels), x, conditions, *leaves)

        def gradient(dy, dlog_det):
            return self._backwards(kept, conditions, leaves, tf.ensure_shape(dy, x.shape), dlog_det)

        return (ys, log_dets), gradient

    def _forwards(self, kept_channels, x, conditions, *leaves):
        """y, log-determinants, and of each step of each chunk what is kept: `[J * K, ...]` of so many channels each."""
        num_turns, leaves = x.shape[0] * self._num_steps, self._one_index(leaves)

        def body(t, chunk, log_det, ys, log_dets, kept):
            j, turn = t // self._num_steps, t % self._num_steps
            chunk = tf.where(tf.equal(turn, 0), x[j], chunk)
            log_det = tf.where(tf.equal(turn, 0), tf.zeros_like(log_det), log_det)
            y, step_log_det, activations = self._step_and_activations(
                chunk, *self._weights(j, turn, conditions, leaves)
            )
            log_det += step_log_det
            # Nothing is kept for a graph that nobody differentiates.
            kept = [array.write(t, activation) for array, activation in zip(kept, activations, strict=False)]
            return t + 1, y, log_det, ys.write(j, y), log_dets.write(j, log_det), kept

        log_dets = tf.TensorArray(x.dtype, x.shape[0], element_shape=x.shape[-1:])
        kept = [
            tf.TensorArray(x.dtype, num_turns, element_shape=[channels, *x.shape[2:]]) for channels in kept_channels
        ]
        start = (0, tf.zeros_like(x[0]), tf.zeros_like(x[0, 0, 0, 0]), _array(x), log_dets, kept)
        _, _, _, ys, log_dets, kept = _loop(body, start, num_turns)
        return ys.stack(), log_dets.stack(), [array.stack() for array in kept]

    def _backwards(self, kept, conditions, leaves, dy, dlog_det):
        num_shared, num_steps = self._num_shared, self._num_steps
        num_chunks, leaves = dy.shape[0], self._one_index(leaves)

        def back(turns, dx, dcondition, dxs, dconditions, dleaves):
            t = num_chunks * num_steps - 1 - turns
            j, turn = t // num_steps, t % num_steps
            is_last = tf.equal(turn, num_steps - 1)
            dx, dcondition = tf.where(is_last, dy[j], dx), tf.where(is_last, tf.zeros_like(dcondition), dcondition)
            step_input, *activations = [array[t] for array in kept]
            condition, slices = self._weights(j, turn, conditions, leaves)
            with tf.GradientTape() as tape, self._reusing(activations):
                sources = [step_input, condition, *slices]
                tape.watch(sources)
                outputs = self._one_step(step_input, condition, slices)
            step_dx, step_dcondition, *dslices = tape.gradient(
                outputs, sources, output_gradients=[dx, dlog_det[j]], unconnected_gradients="zero"
            )
            dx, dcondition = tf.ensure_shape(step_dx, dx.shape), dcondition + step_dcondition
            step = self._step(turn)
            dleaves = [
                array.write(step, array.read(step) + part)
                if number < num_shared
                else array.write(j * num_steps + step, part)
                for number, (array, part) in enumerate(zip(dleaves, dslices, strict=True))
            ]
            return turns + 1, dx, dcondition, dxs.write(j, dx), dconditions.write(j, tf.transpose(dcondition)), dleaves

        totals = [_array(leaf).unstack(tf.zeros_like(leaf)) for leaf in leaves[:num_shared]]
        arrays = [_array(leaf) for leaf in leaves[num_shared:]]
        start = (0, tf.zeros_like(dy[0]), tf.zeros_like(tf.transpose(conditions[0])))
        start = (*start, _array(dy), _array(conditions), [*totals, *arrays])
        _, _, _, dxs, dconditions, dleaves = _loop(back, start, num_chunks * num_steps)
        dleaves = [array.stack() for array in dleaves]
        per_map = [_with_axes(leaf, [num_chunks, num_steps], leaf.shape[1:]) for leaf in dleaves[num_shared:]]
        return dxs.stack(), dconditions.stack(), *dleaves[:num_shared], *per_map

    def _step_and_activations(self, x, condition, slices):
        """A step, and what is kept of it: its input first."""
        with keeping() as activations:
            y, log_det = self._one_step(x, condition, slices)
        if not self._kept_channels:
            return y, log_det, [x]
        received = tuple(activation.shape[CHANNEL_AXIS] for activation in activations)
        if received != self._kept_channels:
            raise ValueError(
                f"Expected activations of {self._kept_channels} channels that are kept. Received: {received}."
            )
        return y, log_det, [x, *activations]

    def _reusing(self, activations):
        return reusing(activations) if self._kept_channels else contextlib.nullcontext()

    def _one_index(self, leaves):
        """Leaves whose weights of a map have one axis for chunk and step, `[J * K, ..., n]`."""
        shared, per_map = leaves[: self._num_shared], leaves[self._num_shared :]
        return [*shared, *(_with_axes(leaf, [leaf.shape[0] * self._num_steps], leaf.shape[2:]) for leaf in per_map)]

    def _weights(self, j, turn, conditions, leaves):
        """The condition of a chunk `[n, P]`, and the slices of all leaves for one of its steps."""
        step = self._step(turn)
        shared, per_map = leaves[: self._num_shared], leaves[self._num_shared :]
        slices = [*(leaf[step] for leaf in shared), *(leaf[j * self._num_steps + step] for leaf in per_map)]
        return tf.transpose(conditions[j]), slices

    def _step(self, turn):
        return turn if self._is_ascending else self._num_steps - 1 - turn


def _loop(body, start, turns):
    """Runs `body` so often; the first of its variables counts the turns."""
    return tf.while_loop(lambda turn, *_: turn < turns, body, start)


def _with_axes(x, first, others):
    """Reshapes x to the axes `first` and `others`, of which one may be unknown."""
    return tf.reshape(x, [*first, *(-1 if size is None else size for size in others)])


def _array(x):
    """A TensorArray for the slices of x along axis 0."""
    return tf.TensorArray(x.dtype, x.shape[0], element_shape=x.shape[1:], clear_after_read=False)
