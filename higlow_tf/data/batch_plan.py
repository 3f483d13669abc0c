"""Which maps come in which batch, and which part of a batch each replica reads."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["BatchPlan", "checked_count"]


@dataclass(frozen=True)
class BatchPlan:
    """The batches of an epoch, cut into equal parts for the replicas of all workers.

    A global batch depends only on the number of maps, `batch_size` and the order of the epoch, never on the replicas. Each
    replica gets a run of neighbours of the batch. The parts of all replicas, in their order, are the batch.

    Args:
        num_maps: Maps of the dataset.
        batch_size: Maps a global batch, over all replicas of all workers.
        drop_remainder: Whether an epoch ends with its last full batch.
        num_parts: Replicas of all workers.
        first_part: The first replica that this pipeline feeds.
        parts_here: How many replicas this pipeline feeds.

    Raises:
        InputError: If there is no batch, or the maps of a batch cannot be shared out.
    """

    num_maps: int
    batch_size: int
    drop_remainder: bool = True
    num_parts: int = 1
    first_part: int = 0
    parts_here: int = 1

    def __post_init__(self):
        if not self.num_steps:
            raise InputError(f"batch_size must not exceed the {self.num_maps} maps. Received: {self.batch_size}.")
        if self.batch_size % self.num_parts:
            raise InputError(
                f"batch_size must be a multiple of the {self.num_parts} replicas. Received: {self.batch_size}."
            )
        last = self.num_maps % self.batch_size
        if not self.drop_remainder and 0 < last < self.num_parts:
            raise InputError(
                f"The last batch must hold a map for each of the {self.num_parts} replicas; drop_remainder leaves it out. "
                f"Received: a last batch of {last}."
            )

    @classmethod
    def for_context(cls, num_maps, batch_size, input_context, *, drop_remainder=True):
        """The plan of one input pipeline of a distribution strategy; every worker has the same number of replicas.

        Args:
            num_maps, batch_size, drop_remainder: As in the class.
            input_context: `tf.distribute.InputContext`, or None for the whole batches.

        Returns:
            `BatchPlan`.

        Raises:
            InputError: As in the class, and if the workers do not share the replicas evenly.
        """
        if input_context is None:
            return cls(num_maps, batch_size, drop_remainder)
        workers, replicas = input_context.num_input_pipelines, input_context.num_replicas_in_sync
        if replicas % workers:
            raise InputError(
                f"input_context must give every one of its {workers} workers equally many replicas. "
                f"Received: {replicas} replicas."
            )
        here = replicas // workers
        return cls(num_maps, batch_size, drop_remainder, replicas, input_context.input_pipeline_id * here, here)

    @property
    def num_steps(self):
        """Global batches an epoch."""
        return self.num_maps // self.batch_size if self.drop_remainder else -(-self.num_maps // self.batch_size)

    @property
    def num_elements(self):
        """Parts of batches that this pipeline makes in an epoch, one after the other for its replicas."""
        return self.num_steps * self.parts_here

    @property
    def rows_per_element(self):
        """Maps of each part; None if the last parts are smaller."""
        return self.batch_size // self.num_parts if self.drop_remainder else None

    def rows(self, order, element):
        """The maps of one part, in the order of the file.

        Args:
            order: All maps in the order of the epoch, `[num_maps]`.
            element: Number of the part in this pipeline's epoch.

        Returns:
            Sorted entries of `order`.
        """
        step, part = divmod(int(element), self.parts_here)
        part += self.first_part
        batch = np.sort(order[step * self.batch_size : (step + 1) * self.batch_size])
        return batch[part * len(batch) // self.num_parts : (part + 1) * len(batch) // self.num_parts]


def checked_count(value, name, lowest):
    """The value as an int; raises `InputError` unless it is an integer from `lowest` up."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
        raise InputError(f"{name} must be an integer from {lowest} up. Received: {value!r}.")
    return int(value)
