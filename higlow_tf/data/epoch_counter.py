"""Which epoch a training pipeline is in."""

import threading

from higlow_tf.data.batch_plan import checked_count

__all__ = ["EpochCounter"]


class EpochCounter:
    """The number of the next epoch of a training pipeline.

    Math:
        next epoch = initial_epoch + number of iterations that were run to their end

    An iteration counts when its *last* batch is made, not when it starts. The reason: `keras.Model.fit` starts iterations
    that it throws away (one at the end of every epoch, and one to build a model under a distribution strategy). On one device
    nothing is read from these. Under a strategy they prefetch some batches. An iteration of less than about ten batches may
    then be counted although nobody saw it. `set` prevents this: after it, only `set` names the epoch of the iterations that
    start. Call it from `on_epoch_begin` of a Keras callback. Every worker has its own counter: with several workers, call it
    on each of them, so that none can be an epoch ahead.

    Args:
        initial_epoch: Number of the first epoch.
    """

    def __init__(self, initial_epoch=0):
        self._epoch = checked_count(initial_epoch, "initial_epoch", 0)
        self._is_set = False
        self._lock = threading.Lock()

    @property
    def next_epoch(self):
        """The epoch that the next iteration will be."""
        return self._epoch

    def set(self, epoch):
        """Names the epoch of the iterations that start from now on."""
        with self._lock:
            self._epoch = checked_count(epoch, "epoch", 0)
            self._is_set = True

    def finish(self, epoch):
        """Counts an iteration of this epoch as run to its end; called by the pipeline."""
        with self._lock:
            if not self._is_set:
                self._epoch = max(self._epoch, epoch + 1)
