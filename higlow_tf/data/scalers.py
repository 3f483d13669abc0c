"""Shift and scale of the log10 maps, fitted on training maps only."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.data.big_arrays import map_chunks
from higlow_tf.errors import InputError

__all__ = ["MapScaler", "fit_map_scaler", "log10_extremes"]


@dataclass(frozen=True, eq=False)
class MapScaler:
    """Mean and standard deviation of log10 maps, one number a channel.

    Math:
        normalised = (log10(map) - shift) / scale

    Args:
        shift: Mean of log10 of the pixels, `[C]`.
        scale: Standard deviation of log10 of the pixels, `[C]`, positive.

    Units:
        Dex of the maps' own unit.

    Raises:
        InputError: If the shapes differ, if a number is not finite, or if a scale is not positive.
    """

    shift: np.ndarray
    scale: np.ndarray

    def __post_init__(self):
        for name in ("shift", "scale"):
            values = np.array(getattr(self, name), dtype=np.float64)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if self.shift.ndim != 1 or self.shift.shape != self.scale.shape:
            raise InputError(
                "A scaler needs one shift and one scale for each channel. "
                f"Received: shapes {self.shift.shape}, {self.scale.shape}."
            )
        if not (np.isfinite(self.shift).all() and np.isfinite(self.scale).all() and (self.scale > 0).all()):
            raise InputError(
                "A scaler needs finite shifts and positive scales. "
                f"Received: shift {self.shift.tolist()}, scale {self.scale.tolist()}."
            )

    def to_config(self):
        """The scaler as JSON-compatible values."""
        return {"shift": self.shift.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_config(cls, config):
        """The inverse of `to_config`."""
        return cls(**config)


def fit_map_scaler(dataset):
    """Fits a `MapScaler` to a dataset, which must be the training maps; reads the maps in chunks.

    Args:
        dataset: `HIMapDataset` without zeros.

    Returns:
        `MapScaler` with `[C]` shifts and scales (the population standard deviation), accumulated in float64.

    Raises:
        InputError: If a pixel is zero.
    """
    if dataset.zero_pixels:
        raise InputError(
            "The maps must be positive for a scaler of log10 maps (apply a ZeroFloor fitted on the training maps). "
            f"Received: {dataset.zero_pixels} pixels that are exactly zero."
        )
    channels = dataset.num_channels
    count, total, total_squares, pivot = 0, np.zeros(channels), np.zeros(channels), None
    for _, chunk in map_chunks(dataset.maps):
        log10_maps = np.log10(chunk.reshape(-1, channels), dtype=np.float64)
        if pivot is None:
            pivot = log10_maps.mean(axis=0)  # sums of squares about a nearby point lose no digits
        count += len(log10_maps)
        total += (log10_maps - pivot).sum(axis=0)
        total_squares += ((log10_maps - pivot) ** 2).sum(axis=0)
    mean = total / count
    scale = np.sqrt(np.maximum(total_squares / count - mean**2, 0.0))
    return MapScaler(shift=pivot + mean, scale=scale)


def log10_extremes(dataset):
    """log10 of the smallest and of the largest pixel of each channel: two arrays `[C]`; reads the maps in chunks."""
    lowest, highest = np.full(dataset.num_channels, np.inf), np.zeros(dataset.num_channels)
    for _, chunk in map_chunks(dataset.maps):
        pixels = chunk.reshape(-1, dataset.num_channels)
        lowest, highest = np.minimum(lowest, pixels.min(axis=0)), np.maximum(highest, pixels.max(axis=0))
    return np.log10(lowest, dtype=np.float64), np.log10(highest, dtype=np.float64)
