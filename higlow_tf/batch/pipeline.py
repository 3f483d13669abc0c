"""The pipeline: numbers of parts, through actors that hold the model, to records."""

import ray
from ray.data import ActorPoolStrategy

from higlow_tf.batch.part_writer import TIMING, PartWriter, Record

__all__ = ["records_of"]

# Of an actor: the next part is there when one is finished.
_PARTS_IN_FLIGHT = 2


def records_of(model, settings, plan, parts, items, folder, num_actors):
    """Streams records as parts are finished, in no certain order; one more item only times a few rows, and is handed out first.

    Every item is a block of its own, so that Ray Data hands out one after the other, and hands it to another actor if one is
    lost.

    Args:
        model, settings, plan, parts: As of `PartWriter`.
        items: Numbers of the parts that are wanted.
        folder: Folder of the parts.
        num_actors: Actors, with one core each.

    Yields:
        `Record`.
    """
    rows = [{"item": item} for item in (TIMING, *items)]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        PartWriter,
        fn_constructor_args=(model, settings, plan, parts, str(folder)),
        batch_size=1,
        num_cpus=1,
        compute=ActorPoolStrategy(size=num_actors, max_tasks_in_flight_per_actor=_PARTS_IN_FLIGHT),
    )
    for row in dataset.iter_rows():
        yield Record(**row)
