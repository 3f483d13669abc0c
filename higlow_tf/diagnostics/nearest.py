"""Whether samples are copies of training maps: the nearest training map over shifts, rotations and reflections."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy import fft
from scipy.stats import mannwhitneyu

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, resampled_median
from higlow_tf.diagnostics.fields import as_positive_maps, log10_field
from higlow_tf.diagnostics.map_samples import MapSamples
from higlow_tf.errors import InputError
from higlow_tf.symmetries import NUM_SQUARE_SYMMETRIES, square_symmetry

__all__ = ["NearestTraining", "nearest_training_map"]

# Pixels of the training maps that are transformed together: few enough to stay in the cache of a core.
_CHUNK_PIXELS = 2**17

_WORKERS = 2
_CHOICE_STREAM = 0x6E656172

# A sample nearer than this share of what other simulated maps show is a copy.
_COPY_SHARE = 0.5

# Below this distance maps are equal in float32, and so are sums; below this scatter, in dex, a map is constant.
_ROUNDING, _ROUNDING_DEX = 1e-5, 1e-6

_LARGEST_P_VALUE = 0.01


@dataclass(frozen=True)
class NearestTraining:
    """Distances to the nearest training map.

    Attributes:
        sample_index: Which samples were looked at, `[n]`.
        sample_distance: Distance of each to its nearest training map, `[n]`; 0 for a copy, 2 for an unrelated map.
        sample_nearest: Which training map that is, `[n]`.
        reference_distance: Distances of the simulated maps, `[m]`.
        ratio: Median of `sample_distance` over median of `reference_distance`; 1 if nothing was memorised.
        error: Bootstrap error of the ratio over maps; None with too few.
        p_value: Of the one-sided Mann-Whitney test that samples are no nearer than the simulated maps.
        num_copies: Samples nearer than half of the smallest `reference_distance`.
        is_memorising: Whether there is a copy, or the ratio is below 0.5 with a p-value below 0.01.
    """

    sample_index: Int[np.ndarray, " n"]
    sample_distance: Float[np.ndarray, " n"]
    sample_nearest: Int[np.ndarray, " n"]
    reference_distance: Float[np.ndarray, " m"]
    ratio: float
    error: float | None
    p_value: float
    num_copies: int
    is_memorising: bool


def nearest_training_map(
    samples: MapSamples,
    training_maps: ArrayLike,
    *,
    num_samples: int = 64,
    progress: Callable[[str, int, int], object] | None = None,
    seed: int = 0,
) -> NearestTraining:
    """Finds the training map that each sample resembles most, and does the same for simulated maps never trained on.

    Definition:
        u = log10(map), minus its mean, divided by its standard deviation
        distance(a, b) = min over shifts and the 8 symmetries T of the square of mean((u_a - T u_b)**2)
                       = 2 - 2 * max over T of mean(u_a * T u_b)
        sample_distance = min over the training maps

    Convention: all periodic shifts at once by FFT, in float32 (distances to 1e-5). Each map is standardised by itself, so that
        a brighter or stronger copy is found too. A constant map has distance 2. The error resamples single maps.

    Units: maps in physical units; distances have none.

    What it can and cannot show: whole copies, also moved and noisy copies. It does not find a collage of patches of several
        training maps. The distance also depends on smoothness: samples that are too smooth are a little nearer to
        everything. The ratio is then a little below 1, which is not memorising. Take real maps of simulations that the
        model was not trained on, at the parameters of the generated maps.

    Checked against: the minimum over all moves by brute force.

    Args:
        samples: Generated maps, which are looked at, and real maps as the reference: the model was not trained on these.
        training_maps: Maps that the model was trained on, `[T, n, n]`, positive.
        num_samples: How many maps of each side are looked at; chosen at random if there are more.
        progress: Called as `progress("nearest training map", done, total)` with numbers of training maps.
        seed: Seed of the choice and the resamples.

    Returns:
        A `NearestTraining`.

    Raises:
        InputError: If training maps are not square, finite, positive and of the size of the samples, `num_samples` is not
            positive, or a real map is a training map.
    """
    if num_samples < 1:
        raise InputError(f"num_samples: expected a positive number of samples. Received: {num_samples}.")
    training = as_positive_maps(training_maps, "training_maps")
    if training.shape[1] != samples.real.num_pixels:
        raise InputError(
            f"training_maps: expected maps of {samples.real.maps.shape[1:]} pixels like the samples. "
            f"Received: {training.shape[1:]}."
        )
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_CHOICE_STREAM,)))
    sample_index = np.sort(rng.permutation(len(samples.generated))[:num_samples])
    reference_index = np.sort(rng.permutation(len(samples.real))[:num_samples])
    fields = [samples.generated.field("log10")[sample_index], samples.real.field("log10")[reference_index]]
    distance, nearest = _nearest(_standardised(np.concatenate(fields)), training, progress)
    sample_distance, reference_distance = np.split(distance, [len(sample_index)])
    if reference_distance.min() < _ROUNDING:
        raise InputError(
            "real_maps: expected maps that the model was not trained on. Received: map "
            f"{reference_index[np.argmin(reference_distance)]}, which is a training map."
        )
    error = bootstrap_error(
        lambda weights, reference_weights: (
            resampled_median(sample_distance, weights) / resampled_median(reference_distance, reference_weights)
        ),
        np.eye(len(sample_distance)),
        np.eye(len(reference_distance)),
        num_bootstrap=NUM_BOOTSTRAP,
        seed=seed,
        name="nearest_training_map",
    )
    ratio = float(np.median(sample_distance) / np.median(reference_distance))
    p_value = float(mannwhitneyu(sample_distance, reference_distance, alternative="less").pvalue)
    num_copies = int(np.count_nonzero(sample_distance < _COPY_SHARE * reference_distance.min()))
    return NearestTraining(
        sample_index=sample_index,
        sample_distance=sample_distance,
        sample_nearest=nearest[: len(sample_index)],
        reference_distance=reference_distance,
        ratio=ratio,
        error=None if error is None else float(error),
        p_value=p_value,
        num_copies=num_copies,
        is_memorising=num_copies > 0 or (ratio < _COPY_SHARE and p_value < _LARGEST_P_VALUE),
    )


def _standardised(fields: np.ndarray) -> np.ndarray:
    """Fields of zero mean whose squares sum to 1, float32; a constant field becomes zero."""
    fields = fields - fields.mean(axis=(1, 2), keepdims=True)
    norm = np.sqrt(np.sum(fields**2, axis=(1, 2), keepdims=True))
    varies = norm > _ROUNDING_DEX * fields.shape[1]
    return np.divide(fields, norm, out=np.zeros_like(fields), where=varies).astype(np.float32)


def _nearest(
    queries: np.ndarray, training: np.ndarray, progress: Callable[[str, int, int], object] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest distance of each query `[Q]`, and to which training map `[Q]`."""
    num_pixels = training.shape[1]
    spectra = np.stack(
        [fft.rfft2(square_symmetry(queries, element)).conj() for element in range(NUM_SQUARE_SYMMETRIES)], axis=1
    )
    largest = np.full(len(queries), -1.0)
    nearest = np.zeros(len(queries), np.int64)
    size = max(1, _CHUNK_PIXELS // num_pixels**2)
    for start in range(0, len(training), size):
        chunk = fft.rfft2(_standardised(log10_field(training[start : start + size])))
        for query, turned in enumerate(spectra):
            for spectrum in turned:
                correlation = _largest_correlation(chunk * spectrum, num_pixels, largest[query])
                best = int(np.argmax(correlation))
                if correlation[best] > largest[query]:
                    largest[query], nearest[query] = correlation[best], start + best
        if progress is not None:
            progress("nearest training map", min(start + size, len(training)), len(training))
    return np.maximum(2.0 - 2.0 * largest, 0.0), nearest


def _largest_correlation(cross_spectra: np.ndarray, num_pixels: int, to_beat: float) -> np.ndarray:
    """Largest correlation over the shifts for each cross spectrum `[M, n, n // 2 + 1]`; -1 if not above `to_beat`.

    After the transform along one axis, the sum of the moduli along the other bounds the correlation: nine in ten cross
    spectra need no second transform.
    """
    rows = fft.ifft(cross_spectra, axis=1, overwrite_x=True, workers=_WORKERS)
    multiplicity = np.full(rows.shape[2], 2.0 / num_pixels, np.float32)
    multiplicity[[0, -1] if num_pixels % 2 == 0 else [0]] /= 2
    bound = (np.abs(rows) @ multiplicity).max(axis=1)
    may_beat = bound * (1 + _ROUNDING) > to_beat
    correlation = np.full(len(rows), -1.0)
    if may_beat.any():
        shifted = fft.irfft(rows[may_beat], n=num_pixels, axis=2, workers=_WORKERS)
        correlation[may_beat] = shifted.max(axis=(1, 2))
    return correlation
