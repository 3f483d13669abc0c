"""The processes that train one model together: who they are, and what they must agree on."""

import contextlib
import functools
import hashlib

import tensorflow as tf

from higlow_tf.errors import InputError, LostWorkerError
from higlow_tf.runs.cluster import place_in_cluster

__all__ = ["Workers"]

# How TensorFlow's collectives end when one of them is gone. An `InternalError` may be anything else, which comes again.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class Workers:
    """All processes of a training, seen from one of them. One process alone is the chief.

    Every process calls the methods in the same order: they wait for one another.

    Args:
        strategy: `tf.distribute.Strategy` of this process; several processes have a `MultiWorkerMirroredStrategy`.

    Attributes:
        strategy: The strategy.
        index, addresses: Number of this process, and the addresses of all (empty for one alone).
    """

    def __init__(self, strategy):
        self.strategy = strategy
        self.index, self.addresses = 0, ()
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            self.index, self.addresses = place_in_cluster(resolver.cluster_spec(), resolver.task_type, resolver.task_id)

    @property
    def is_chief(self):
        """Whether this process writes the files."""
        return self.index == 0

    @property
    def are_several(self):
        return len(self.addresses) > 1

    def chiefs(self, value):
        """The number that the chief has, for all of them."""
        return self._of_all(value)[0] if self.are_several else value

    def wait(self):
        """Returns when all have come here."""
        self.chiefs(0.0)

    def check_same(self, text, what):
        """Compares what each of them trains.

        Raises:
            InputError: If it is not the same for all.
        """
        if not self.are_several:
            return
        own = float(int(hashlib.sha256(text.encode()).hexdigest()[:10], 16))
        numbers = self._of_all(own)
        others = [index for index, number in enumerate(numbers) if number != numbers[0]]
        if others:
            names = ", ".join(f"{index} ({self.addresses[index]})" for index in others)
            raise InputError(
                f"Expected the same {what} in all {len(self.addresses)} workers. Received: another in {names}."
            )

    @contextlib.contextmanager
    def watched(self, out):
        """Inside this block the loss of a worker is a `LostWorkerError`.

        Args:
            out: Folder of the run, which a new job can continue.
        """
        try:
            yield
        except _LOST as error:
            if not self.are_several:
                raise
            reason = (error.message or type(error).__name__).splitlines()[0][:200]
            raise LostWorkerError(
                f"Worker {self.index} of {len(self.addresses)}: another worker is gone or cannot be reached. Start all of them "
                f"again with --resume to continue {out} from its last checkpoint. TensorFlow says: {reason}"
            ) from error

    def _of_all(self, value):
        """The numbers of all, in their order: each worker adds its own once a replica, exactly if it is an integer of 40 bits."""
        replicas = self.strategy.num_replicas_in_sync // len(self.addresses)
        own = tf.one_hot(self.index, len(self.addresses), value, dtype=tf.float64)
        return [float(number) / replicas for number in self._sum(own)]

    @functools.cached_property
    def _sum(self):
        @tf.function(autograph=False)
        def sum_over_replicas(values):
            return self.strategy.reduce(
                tf.distribute.ReduceOp.SUM, self.strategy.run(tf.identity, (values,)), axis=None
            )

        return sum_over_replicas
