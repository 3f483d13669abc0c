"""Maps a second of the training pipeline beside those of a training step: the pipeline must not be what is waited for.

    python benchmarks/pipeline_speed.py --preset compact --batch 8 64

The maps lie in a file and are memory-mapped, shuffled and augmented, as in a training. The step is that of the preset,
compiled, on maps that are in memory already, on a GPU where TensorFlow finds one. Wall seconds mean something only on an
idle machine; CPU seconds are those of the whole process, all its threads together.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from higlow_tf.data import HIMapDataset
from higlow_tf.models.presets import PRESETS

__all__ = ["main", "pipeline_speed", "step_speed", "write_maps"]

NUM_MAPS, MAPS_PER_SIMULATION = 4096, 16
_WARM_UP = 3
_LEARNING_RATE = 1e-3


def write_maps(folder, map_size, seed=0):
    """A dataset of memory-mapped maps without structure, in a file of the folder."""
    rng = np.random.default_rng(seed)
    path = Path(folder) / "maps.npy"
    maps = np.lib.format.open_memmap(path, "w+", np.float32, (NUM_MAPS, map_size, map_size))
    for start in range(0, NUM_MAPS, 512):
        maps[start : start + 512] = 10.0 ** rng.normal(6.5, 0.4, (512, map_size, map_size))
    maps.flush()
    theta = rng.uniform((0.1, 0.6), (0.5, 1.0), (NUM_MAPS // MAPS_PER_SIMULATION, 2))
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    return HIMapDataset.from_arrays(mapped, np.repeat(theta, MAPS_PER_SIMULATION, axis=0))


def pipeline_speed(dataset, batch_size, augment=True):
    """Maps a second of wall time and of CPU time, in one epoch."""
    batches = iter(dataset.to_tf(batch_size, augment=augment))
    for _ in range(_WARM_UP):
        next(batches)
    return _speed(batches, batch_size)


def step_speed(preset, dataset, batch_size, num_steps):
    """Maps a second of wall time and of CPU time, in training steps after the first."""
    import keras
    import tensorflow as tf

    from higlow_tf.models import ConditionalGlow

    model = ConditionalGlow.from_preset(preset)
    model.initialize(dataset)
    model.compile(keras.optimizers.Adam(_LEARNING_RATE))
    # Variables cannot be made inside the traced step.
    model.optimizer.build(model.trainable_variables)
    batch = next(iter(dataset.to_tf(batch_size)))
    step = tf.function(lambda: model.train_step(batch), autograph=False)
    step()  # traces and compiles
    return _speed((step()["loss"].numpy() for _ in range(num_steps)), batch_size)


def _speed(calls, maps_a_call):
    cpu, wall = time.process_time(), time.perf_counter()
    num_maps = maps_a_call * sum(1 for _ in calls)
    return num_maps / (time.perf_counter() - wall), num_maps / (time.process_time() - cpu)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="compact", help="preset of ConditionalGlow")
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 64], help="maps a batch")
    parser.add_argument("--steps", type=int, default=10, help="training steps to time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_maps(folder, PRESETS[arguments.preset]["map_size"])
        print(f"{arguments.preset}; maps a second of wall time (of CPU time)")
        for batch_size in arguments.batch:
            rows = {
                "pipeline": pipeline_speed(dataset, batch_size),
                "pipeline, not augmented": pipeline_speed(dataset, batch_size, augment=False),
                "training step": step_speed(arguments.preset, dataset, batch_size, arguments.steps),
            }
            for name, (wall, cpu) in rows.items():
                print(f"  batch {batch_size:3}  {name:24} {wall:9.0f} ({cpu:9.0f})")
            ratio = np.divide(rows["pipeline"], rows["training step"])
            print(f"  batch {batch_size:3}  {'pipeline / step':24} {ratio[0]:9.1f} ({ratio[1]:9.1f})", flush=True)


if __name__ == "__main__":
    main()
