"""One optimizer step that clips after aggregation and leaves out what is not finite."""

import tensorflow as tf

__all__ = ["apply_clipped_finite"]

# Keeps the division of clipping finite for a gradient of zero.
_SMALLEST_NORM = 1e-12


def apply_clipped_finite(optimizer, loss, gradients, variables, clip_norm):
    """Sums gradients over replicas, clips their global norm, and applies them if all are finite.

    Keras's own `global_clipnorm` clips each replica's part before the sum, so that one and two replicas differ. Here
    every replica hands the optimizer its equal share of the clipped sum, and the optimizer's own sum restores it.

    Args:
        optimizer: A Keras optimizer.
        loss: This replica's loss, scalar: a step without a finite loss is left out even if its gradient is finite.
        gradients: This replica's gradients of its share of the loss (already divided by the number of replicas).
        variables: Keras variables.
        clip_norm: Largest global norm, or None.

    Returns:
        Boolean scalar: whether the step was taken. If not, weights, optimizer state and step counter are untouched.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    loss, *gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, [loss, *gradients])
    norm = tf.linalg.global_norm(gradients)
    is_finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
    share = 1.0 / replicas
    if clip_norm is not None:
        share *= tf.minimum(1.0, clip_norm / tf.maximum(norm, _SMALLEST_NORM))
    gradients = [gradient * tf.cast(share, gradient.dtype) for gradient in gradients]

    def apply(gradients):
        optimizer.apply(gradients, variables)

    if not tf.distribute.has_strategy():
        tf.cond(is_finite, lambda: apply(gradients), lambda: None)
        return is_finite

    # A condition with a collective inside must be opened where all replicas meet; all have the same `is_finite`. Keras's
    # optimizers meet there under every strategy, also under one of a single device.
    def apply_everywhere(strategy, gradients, is_finite):
        tf.cond(
            strategy.experimental_local_results(is_finite)[0],
            lambda: strategy.extended.call_for_each_replica(apply, args=(gradients,)),
            lambda: None,
        )

    context.merge_call(apply_everywhere, args=(gradients, is_finite))
    return is_finite
