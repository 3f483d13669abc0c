"""K steps of one level as one rolled loop."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector, zero_log_det

__all__ = ["RepeatedSteps"]


class RepeatedSteps(OnePassBijector):
    """Runs the same kind of step K times, each with its own slice of stacked weights.

    Type:     [..., H, W, C] -> [..., H, W, C], given conditional_input [..., P]

    Forward:  y = step_0(step_1(... step_{K-1}(x)))   # latent -> map
    Inverse:  x = step_{K-1}**-1(... step_0**-1(y))   # map -> latent
    fldj:     sum of the steps' fldj
    ildj:     -fldj
    where     step_k = make_step(k-th slice of stacked_weights_fn(conditional_input, direction))

    One `while_loop`, so that the graph does not grow with K. Its gradient is written here: it stores the input of every
    step in one dense tensor and evaluates a step again on the way back. That keeps memory at one map a step, compiles
    under XLA with the gradient tape outside (a plain loop does not), and was as quick as keeping all activations.
    Second derivatives are not available.

    Args:
        make_step: Callable from the tree of one slice (axis 0 removed) to a shape-preserving `OnePassBijector`.
            It must use no other trainable tensor than that slice.
        stacked_weights_fn: Callable `(conditional_input [N, P], direction) -> tree of tensors [K, ...]`; direction is
            "forward" or "inverse". Whatever does not depend on the map is computed there, once for all steps.
        num_steps: K.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required.

    Raises:
        TypeError: If `conditional_input` is missing.
    """

    def __init__(self, make_step, stacked_weights_fn, num_steps, name="repeated_steps"):
        parameters = dict(locals())
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._make_step = make_step
        self._stacked_weights_fn = stacked_weights_fn
        self._num_steps = num_steps

    def forward_and_log_det(self, x, conditional_input=None):
        return self._run(x, conditional_input, "forward")

    def inverse_and_log_det(self, y, conditional_input=None):
        return self._run(y, conditional_input, "inverse")

    def _run(self, x, conditional_input, direction):
        stacked = self._stacked_weights_fn(conditional_input, direction)
        leaves = tf.nest.flatten(stacked)

        def one_step(x, conditional_input, slices):
            step = self._make_step(tf.nest.pack_sequence_as(stacked, slices))
            y, log_det = getattr(step, f"{direction}_and_log_det")(x, conditional_input)
            return tf.ensure_shape(y, x.shape), log_det

        return _checkpointed_loop(one_step, self._num_steps, direction == "inverse", x, conditional_input, leaves)


def _checkpointed_loop(one_step, num_steps, is_ascending, x, conditional_input, leaves):
    """Loop over steps 0..K-1 (or K-1..0) that keeps each step's input for a gradient which recomputes the rest."""
    first, last, stride = (0, num_steps - 1, 1) if is_ascending else (num_steps - 1, 0, -1)

    @tf.custom_gradient
    def loop(x, conditional_input, *leaves):
        def body(i, x, log_det, inputs):
            inputs = inputs.write(i, x)
            x, step_log_det = one_step(x, conditional_input, [leaf[i] for leaf in leaves])
            return i + stride, x, log_det + step_log_det, inputs

        inputs = tf.TensorArray(x.dtype, num_steps, element_shape=x.shape)
        _, y, log_det, inputs = tf.while_loop(
            lambda *_: True, body, (first, x, zero_log_det(x), inputs), maximum_iterations=num_steps
        )
        inputs = inputs.stack()

        def gradient(dy, dlog_det):
            def back(i, dx, dcondition, *dleaves):
                step_input, slices = inputs[i], [leaf[i] for leaf in leaves]
                with tf.GradientTape() as tape:
                    tape.watch([step_input, conditional_input, *slices])
                    outputs = one_step(step_input, conditional_input, slices)
                step_dx, step_dcondition, *dslices = tape.gradient(
                    outputs,
                    [step_input, conditional_input, *slices],
                    output_gradients=[dx, dlog_det],
                    unconnected_gradients="zero",
                )
                dleaves = [array.write(i, dslice) for array, dslice in zip(dleaves, dslices, strict=True)]
                return i - stride, tf.ensure_shape(step_dx, dx.shape), dcondition + step_dcondition, *dleaves

            dleaves = [tf.TensorArray(leaf.dtype, num_steps, element_shape=leaf.shape[1:]) for leaf in leaves]
            _, dx, dcondition, *dleaves = tf.while_loop(
                lambda *_: True,
                back,
                (last, dy, tf.zeros_like(conditional_input), *dleaves),
                maximum_iterations=num_steps,
            )
            return dx, dcondition, *[array.stack() for array in dleaves]

        return (y, log_det), gradient

    return loop(x, conditional_input, *leaves)
