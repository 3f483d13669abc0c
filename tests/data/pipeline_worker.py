"""One of the processes of a distributed training: writes what its replicas get. Arguments: folder, way of sharding."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from higlow_tf.data import HIMapDataset


def main(folder, way):
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with np.load(folder / "data.npz") as file:
        data = HIMapDataset.from_arrays(file["maps"], file["theta"])
    if way == "auto_shard":
        batches = strategy.experimental_distribute_dataset(data.to_tf(8))
    else:
        batches = strategy.distribute_datasets_from_function(lambda context: data.to_tf(8, input_context=context))
    parts = {}
    for batch in batches:
        for theta, maps in zip(*map(strategy.experimental_local_results, batch), strict=True):
            number = len(parts) // 2
            parts |= {f"theta{number}": theta.numpy(), f"maps{number}": maps.numpy()}
    np.savez(folder / f"worker{strategy.cluster_resolver.task_id}.npz", **parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
