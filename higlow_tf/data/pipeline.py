"""tf.data pipelines: shuffled and augmented for training, padded and weighted for evaluation.

Under a distribution strategy a pipeline can be given to Keras as it is: TensorFlow cuts each batch into equal parts for the
replicas. With several workers, every worker does this: it reads and augments all maps, and throws most of them away. With
`input_context` a worker reads and augments only its own maps:

    counter = EpochCounter()
    batches = strategy.distribute_datasets_from_function(
        lambda context: data.to_tf(64, input_context=context, epoch_counter=counter)
    )

Both ways give the same maps in a batch, over all replicas, as without a strategy, and the same augmentation of each map.

The only module of this package that imports TensorFlow.
"""

import numpy as np
import tensorflow as tf

from higlow_tf.data.batch_plan import BatchPlan, checked_count
from higlow_tf.data.epoch_counter import EpochCounter
from higlow_tf.errors import InputError

__all__ = ["EpochCounter", "augment_maps", "to_tf", "to_tf_evaluation"]

_DTYPES = ("float32", "float64")
_PREFETCH_BATCHES = 2
# Steele, Lea, Flood. Fast splittable pseudorandom number generators (SplitMix64). OOPSLA 2014.
_GOLDEN_GAMMA = 0x9E3779B97F4A7C15
_MIX_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def to_tf(
    dataset,
    batch_size=64,
    *,
    shuffle=True,
    augment=True,
    drop_remainder=True,
    seed=0,
    initial_epoch=0,
    epoch_counter=None,
    dtype="float32",
    input_context=None,
):
    """Batches for training; each iteration is one epoch.

    The order and the augmentation of an epoch are a function only of (seed, epoch, index of the map). A run that is resumed
    with `initial_epoch=e` therefore sees exactly what it would have seen without a stop. The returned dataset has the
    attribute `epoch_counter` (`EpochCounter`), which knows the next epoch.

    Args:
        dataset: `HIMapDataset`.
        batch_size: Maps a batch, over all replicas of all workers.
        shuffle: Whether each epoch has its own order.
        augment: Whether maps are shifted, rotated and reflected at random, see `augment_maps`.
        drop_remainder: Whether to leave out the maps that do not fill a batch (other ones in each shuffled epoch).
            Otherwise the last batch is smaller.
        seed: Seed of order and augmentation.
        initial_epoch: Number of the first epoch.
        epoch_counter: `EpochCounter` to use in place of a new one, which starts at `initial_epoch`.
        dtype: "float32" or "float64" (a map in physical units overflows or blurs in half precision).
        input_context: `tf.distribute.InputContext` of one worker, or None for whole batches.

    Returns:
        `tf.data.Dataset` of `(theta [B, P], maps [B, H, H] or [B, H, H, C])` in physical units. Within a batch the maps
        are in the order of the file: a memory map is read fastest in this order. With `input_context`, each batch comes as
        one element of `B / replicas` maps for each replica of this worker, as `distribute_datasets_from_function` expects.
        The parts of replica 0, 1, ... of worker 0, 1, ... one after the other are the batch. `cardinality` is the number of
        batches.

    Raises:
        InputError: If there is less than one batch, if the replicas cannot share a batch evenly, or if an argument is out of
            range.
    """
    seed = checked_count(seed, "seed", 0)
    tf_dtype = _checked_dtype(dtype)
    batch_size = checked_count(batch_size, "batch_size", 1)
    plan = BatchPlan.for_context(dataset.num_maps, batch_size, input_context, drop_remainder=drop_remainder)
    counter = EpochCounter(initial_epoch) if epoch_counter is None else epoch_counter

    def start_epoch():
        epoch = counter.next_epoch
        order_seed, augment_seed = np.random.SeedSequence([seed, epoch]).spawn(2)
        indices = np.arange(dataset.num_maps)
        if shuffle:
            indices = np.random.default_rng(order_seed).permutation(indices)
        return np.int64(epoch), augment_seed.generate_state(1, np.uint64).view(np.int64)[0], indices

    def read_part(epoch, element, indices):
        rows = plan.rows(indices, element)
        if element == plan.num_elements - 1:
            counter.finish(int(epoch))
        return rows, *_read(dataset, rows, dtype)

    def make_epoch(epoch, augment_seed, indices):
        def make_part(element):
            rows, theta, maps = tf.numpy_function(
                read_part, [epoch, element, indices], (tf.int64, tf.float64, tf_dtype), stateful=True
            )
            rows.set_shape([plan.rows_per_element])
            theta, maps = _with_shapes(dataset, plan.rows_per_element, theta, maps)
            return tf.stack([tf.fill(tf.shape(rows), augment_seed), rows], axis=1), tf.cast(theta, tf_dtype), maps

        return tf.data.Dataset.range(plan.num_elements).map(make_part)

    def finish_batch(seeds, theta, maps):
        return theta, augment_maps(maps, seeds) if augment else maps

    epochs = tf.data.Dataset.range(1).map(
        lambda _: tf.numpy_function(start_epoch, [], (tf.int64, tf.int64, tf.int64), stateful=True)
    )
    batches = epochs.map(_with_epoch_shapes).flat_map(make_epoch)
    batches = batches.apply(tf.data.experimental.assert_cardinality(plan.num_elements))
    batches = batches.map(finish_batch, num_parallel_calls=_PREFETCH_BATCHES, deterministic=True)
    batches = _finished(batches, plan)
    batches.epoch_counter = counter
    return batches


def to_tf_evaluation(dataset, batch_size=64, *, dtype="float32", input_context=None):
    """Batches for evaluation: every map once, in order, all batches of one size.

    The last batch is filled up with its own last map at weight 0. Shapes are then static, and a weighted mean is exact (a mean
    of batch means is not exact).

    Args:
        dataset: `HIMapDataset`.
        batch_size: Maps a batch, over all replicas of all workers.
        dtype: "float32" or "float64".
        input_context: `tf.distribute.InputContext` of one worker, or None for whole batches.

    Returns:
        `tf.data.Dataset` of `(theta [B, P], maps [B, H, H] or [B, H, H, C], sample_weight [B])`; with `input_context` in
        parts, as in `to_tf`.

    Raises:
        InputError: If `batch_size` or `dtype` is out of range, or the replicas cannot share a batch evenly.
    """
    batch_size = checked_count(batch_size, "batch_size", 1)
    tf_dtype = _checked_dtype(dtype)
    order = np.arange(-(-dataset.num_maps // batch_size) * batch_size)
    plan = BatchPlan.for_context(len(order), batch_size, input_context)

    def read_part(element):
        rows = plan.rows(order, element)
        weight = (rows < dataset.num_maps).astype(dtype)
        return *_read(dataset, np.minimum(rows, dataset.num_maps - 1), dtype), weight

    def make_part(element):
        theta, maps, weight = tf.numpy_function(read_part, [element], (tf.float64, tf_dtype, tf_dtype), stateful=False)
        theta, maps = _with_shapes(dataset, plan.rows_per_element, theta, maps)
        weight.set_shape([plan.rows_per_element])
        return tf.cast(theta, tf_dtype), maps, weight

    return _finished(tf.data.Dataset.range(plan.num_elements).map(make_part), plan)


def augment_maps(maps, seeds):
    """Shifts, rotates and reflects each periodic map by its own random draw.

    Math:
        y[i, j] = f(x)[(i - s) % H, (j - t) % H],  s, t uniform on 0 ... H - 1, f one of the 8 symmetries of the square

    A periodic box has no preferred origin, axis or handedness. Therefore all 8 H**2 results are equally likely maps of the
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


def _finished(batches, plan):
    options = tf.data.Options()
    # Not by file: the maps come from memory. Otherwise a strategy of several workers tries files first and warns.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    batches = batches.with_options(options).prefetch(_PREFETCH_BATCHES)
    if plan.parts_here > 1:
        # A strategy gives this number to Keras as the number of steps. Each step takes an element for every replica.
        batches.cardinality = lambda: tf.constant(plan.num_steps, tf.int64)
    return batches


def _checked_dtype(dtype):
    name = tf.as_dtype(dtype).name
    if name not in _DTYPES:
        raise InputError(f"dtype must be one of {_DTYPES}. Received: {name!r}.")
    return tf.as_dtype(name)
