"""tf.data pipelines: shuffled and augmented for training, padded and weighed for evaluation.

The only module of this package that imports TensorFlow.
"""

import threading

import numpy as np
import tensorflow as tf

from higlow_tf.errors import InputError

__all__ = ["EpochCounter", "augment_maps", "to_tf", "to_tf_evaluation"]

_DTYPES = ("float32", "float64")
_PREFETCH_BATCHES = 2
# Steele, Lea, Flood. Fast splittable pseudorandom number generators (SplitMix64). OOPSLA 2014.
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15
_MIX_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


class EpochCounter:
    """The number of the next epoch of a training pipeline.

    Math:
        next epoch = initial_epoch + number of iterations that were run to their end

    An iteration counts when its *last* batch is made, not when it starts: `keras.Model.fit` starts iterations that it
    throws away (one at the end of every epoch, and one to build a model under a distribution strategy). On one device
    nothing is read from those. Under a strategy they prefetch some batches, and an iteration of less than about ten
    batches may then be counted although nobody saw it. `set` excludes that: it names the epoch of all iterations that
    start from now on, and nothing else does any more. Call it from `on_epoch_begin` of a Keras callback.

    Args:
        initial_epoch: Number of the first epoch.
    """

    def __init__(self, initial_epoch=0):
        self._epoch = _checked_count(initial_epoch, "initial_epoch", 0)
        self._is_set = False
        self._lock = threading.Lock()

    @property
    def next_epoch(self):
        """The epoch that the next iteration will be."""
        return self._epoch

    def set(self, epoch):
        """Names the epoch of the iterations that start from now on."""
        with self._lock:
            self._epoch = _checked_count(epoch, "epoch", 0)
            self._is_set = True

    def finish(self, epoch):
        """Counts an iteration of this epoch as run to its end; called by the pipeline."""
        with self._lock:
            if not self._is_set:
                self._epoch = max(self._epoch, epoch + 1)


def to_tf(
    dataset,
    batch_size=64,
    *,
    shuffle=True,
    augment=True,
    drop_remainder=True,
    seed=0,
    initial_epoch=0,
    dtype="float32",
):
    """Batches for training; each iteration is one epoch.

    The order and the augmentation of an epoch are a function of (seed, epoch, index of the map) alone, so that a run
    resumed with `initial_epoch=e` sees exactly what it would have seen without a stop. The returned dataset has the
    attribute `epoch_counter` (`EpochCounter`), which knows the next epoch.

    Args:
        dataset: `HIMapDataset`.
        batch_size: Maps a batch, over all replicas.
        shuffle: Whether each epoch has an order of its own.
        augment: Whether maps are shifted, rotated and reflected at random, see `augment_maps`.
        drop_remainder: Whether to leave out the maps that do not fill a batch (other ones in each shuffled epoch);
            otherwise the last batch is smaller.
        seed: Seed of order and augmentation.
        initial_epoch: Number of the first epoch.
        dtype: "float32" or "float64" (a map in physical units overflows or blurs in half precision).

    Returns:
        `tf.data.Dataset` of `(theta [B, P], maps [B, H, H] or [B, H, H, C])` in physical units. Within a batch the maps
        are in the order of the file, which reads a memory map fastest.

    Raises:
        InputError: If there is less than one batch, or an argument is out of range.
    """
    batch_size = _checked_count(batch_size, "batch_size", 1)
    seed = _checked_count(seed, "seed", 0)
    tf_dtype = _checked_dtype(dtype)
    num_steps = dataset.num_maps // batch_size if drop_remainder else -(-dataset.num_maps // batch_size)
    if not num_steps:
        raise InputError(f"batch_size must not exceed the {dataset.num_maps} maps. Received: {batch_size}.")
    counter = EpochCounter(initial_epoch)

    def start_epoch():
        epoch = counter.next_epoch
        order_seed, augment_seed = np.random.SeedSequence([seed, epoch]).spawn(2)
        indices = np.arange(dataset.num_maps)
        if shuffle:
            indices = np.random.default_rng(order_seed).permutation(indices)
        return np.int64(epoch), augment_seed.generate_state(1, np.uint64).view(np.int64)[0], indices

    def read_batch(epoch, step, indices):
        batch = np.sort(indices[step * batch_size : (step + 1) * batch_size])
        if step == num_steps - 1:
            counter.finish(int(epoch))
        return batch, *_read(dataset, batch, dtype)

    def make_epoch(epoch, augment_seed, indices):
        def make_batch(step):
            batch, theta, maps = tf.numpy_function(
                read_batch, [epoch, step, indices], (tf.int64, tf.float64, tf_dtype), stateful=True
            )
            rows = batch_size if drop_remainder else None
            batch.set_shape([rows])
            theta, maps = _with_shapes(dataset, rows, theta, maps)
            return tf.stack([tf.fill(tf.shape(batch), augment_seed), batch], axis=1), tf.cast(theta, tf_dtype), maps

        return tf.data.Dataset.range(num_steps).map(make_batch)

    def finish_batch(seeds, theta, maps):
        return theta, augment_maps(maps, seeds) if augment else maps

    epochs = tf.data.Dataset.range(1).map(
        lambda _: tf.numpy_function(start_epoch, [], (tf.int64, tf.int64, tf.int64), stateful=True)
    )
    batches = epochs.map(_with_epoch_shapes).flat_map(make_epoch)
    batches = batches.apply(tf.data.experimental.assert_cardinality(num_steps))
    batches = batches.map(finish_batch, num_parallel_calls=_PREFETCH_BATCHES, deterministic=True)
    batches = _finished(batches)
    batches.epoch_counter = counter
    return batches


def to_tf_evaluation(dataset, batch_size=64, *, dtype="float32"):
    """Batches for evaluation: every map once, in order, all batches of one size.

    The last batch is filled up with its own last map at weight 0, so that shapes are static and a weighed mean is
    exact (a mean of batch means is not).

    Args:
        dataset: `HIMapDataset`.
        batch_size: Maps a batch.
        dtype: "float32" or "float64".

    Returns:
        `tf.data.Dataset` of `(theta [B, P], maps [B, H, H] or [B, H, H, C], sample_weight [B])`.

    Raises:
        InputError: If `batch_size` or `dtype` is out of range.
    """
    batch_size = _checked_count(batch_size, "batch_size", 1)
    tf_dtype = _checked_dtype(dtype)
    num_steps = -(-dataset.num_maps // batch_size)

    def read_batch(step):
        positions = np.arange(step * batch_size, (step + 1) * batch_size)
        weight = (positions < dataset.num_maps).astype(dtype)
        return *_read(dataset, np.minimum(positions, dataset.num_maps - 1), dtype), weight

    def make_batch(step):
        theta, maps, weight = tf.numpy_function(read_batch, [step], (tf.float64, tf_dtype, tf_dtype), stateful=False)
        theta, maps = _with_shapes(dataset, batch_size, theta, maps)
        weight.set_shape([batch_size])
        return tf.cast(theta, tf_dtype), maps, weight

    return _finished(tf.data.Dataset.range(num_steps).map(make_batch))


def augment_maps(maps, seeds):
    """Shifts, rotates and reflects each periodic map by its own random draw.

    Math:
        y[i, j] = f(x)[(i - s) % H, (j - t) % H],  s, t uniform on 0 ... H - 1, f one of the 8 symmetries of the square

    A periodic box has no preferred origin, axis or handedness, so all 8 H**2 results are equally likely maps of the
    same parameters. No pixel value changes. The draw is SplitMix64 of the map's seeds, nothing else.

    Args:
        maps: `[B, H, H]` or `[B, H, H, C]`.
        seeds: Integers `[B, 2]`.

    Returns:
        Tensor like `maps`.
    """
    maps, seeds = tf.convert_to_tensor(maps), tf.convert_to_tensor(seeds)
    size = maps.shape[1]
    if size is None or maps.shape[2] != size:
        raise InputError(f"maps must be square and of known size. Received: shape {maps.shape}.")
    seeds = tf.cast(seeds, tf.uint64)
    state = _mix(_mix(seeds[:, 0]) + seeds[:, 1])
    shift_rows, shift_columns = _draw(state, 1) % size, _draw(state, 2) % size
    symmetry = _draw(state, 3) % 8

    # Where pixel (i, j) of the result comes from, as offset(i) + offset(j): undo the shift, mirror, swap the axes.
    rows = _mirrored((tf.range(size) - shift_rows[:, None]) % size, symmetry & 1)
    columns = _mirrored((tf.range(size) - shift_columns[:, None]) % size, symmetry & 2)
    is_swapped = symmetry[:, None] >= 4
    row_offsets = rows * tf.where(is_swapped, 1, size)
    column_offsets = columns * tf.where(is_swapped, size, 1)
    pixels = row_offsets[:, :, None] + column_offsets[:, None, :]

    flat_maps = tf.reshape(maps, tf.concat([tf.shape(maps)[:1], [size * size], maps.shape[3:]], axis=0))
    augmented = tf.gather(flat_maps, tf.reshape(pixels, [-1, size * size]), batch_dims=1)
    return tf.ensure_shape(tf.reshape(augmented, tf.shape(maps)), maps.shape)


def _mirrored(pixels, bit):
    """Counts pixels `[B, H]` from the other end in the maps whose bit is set."""
    return tf.where(bit[:, None] > 0, pixels.shape[1] - 1 - pixels, pixels)


def _mix(state):
    """One output of SplitMix64 for each state, uint64 -> uint64."""
    state += _GOLDEN_GAMMA
    for shift, factor in _MIX_ROUNDS:
        state = (state ^ tf.bitwise.right_shift(state, shift)) * factor
    return state ^ tf.bitwise.right_shift(state, 31)


def _draw(state, index):
    """A random integer from 0 to 2**31 - 1 for each state; the modulo of a map size is uniform to 1 in 1e6."""
    return tf.cast(tf.bitwise.right_shift(_mix(state + index), 33), tf.int32)


def _with_epoch_shapes(epoch, augment_seed, indices):
    for scalar in (epoch, augment_seed):
        scalar.set_shape([])
    indices.set_shape([None])
    return epoch, augment_seed, indices


def _with_shapes(dataset, rows, theta, maps):
    theta.set_shape([rows, len(dataset.parameters)])
    maps.set_shape([rows, *dataset.maps.shape[1:]])
    return theta, maps


def _read(dataset, indices, dtype):
    return dataset.theta[indices], np.asarray(dataset.maps[indices], dtype=dtype)


def _finished(batches):
    options = tf.data.Options()
    # Not by file: the maps come from memory. Otherwise a strategy of several workers tries files first and warns.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options).prefetch(_PREFETCH_BATCHES)


def _checked_dtype(dtype):
    name = tf.as_dtype(dtype).name
    if name not in _DTYPES:
        raise InputError(f"dtype must be one of {_DTYPES}. Received: {name!r}.")
    return tf.as_dtype(name)


def _checked_count(value, name, lowest):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < lowest:
        raise InputError(f"{name} must be an integer from {lowest} up. Received: {value!r}.")
    return int(value)
