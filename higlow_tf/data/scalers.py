"""Shift and scale of the log10 maps, or of the maps, fitted on training maps only."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.data.big_arrays import map_chunks
from higlow_tf.data.checks import count_negative
from higlow_tf.errors import InputError
from higlow_tf.map_transforms import modelled_map

__all__ = ["MapScaler", "fit_map_scaler", "map_extremes"]


@dataclass(frozen=True, eq=False)
class MapScaler:
    """Mean and standard deviation of what a flow models of maps, one number a channel.

    Math:
        normalised = (u - shift) / scale,  u = log10(map), or the map itself

    Args:
        shift: Mean of u over the pixels, `[C]`.
        scale: Standard deviation of u over the pixels, `[C]`, positive.

    Units:
        Dex of the maps' own unit; for map_transform="identity" this unit.

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


def fit_map_scaler(dataset, map_transform="log10"):
    """Fits a `MapScaler` to a dataset, which must be the training maps; reads the maps in chunks.

    Args:
        dataset: `HIMapDataset`; without zeros and negative pixels for "log10".
        map_transform: "log10" or "identity": whether the scaler is that of log10 of the pixels or of the pixels.

    Returns:
        `MapScaler` with `[C]` shifts and scales (the population standard deviation), accumulated in float64.

    Raises:
        InputError: If a pixel has no log10.
    """
    if map_transform == "log10":
        _check_positive(dataset)
    channels = dataset.num_channels
    count, total, total_squares, pivot = 0, np.zeros(channels), np.zeros(channels), None
    for _, chunk in map_chunks(dataset.maps):
        maps = modelled_map(chunk.reshape(-1, channels), map_transform)
        if pivot is None:
            pivot = maps.mean(axis=0)  # sums of squares about a nearby point lose no digits
        count += len(maps)
        total += (maps - pivot).sum(axis=0)
        total_squares += ((maps - pivot) ** 2).sum(axis=0)
    mean = total / count
    scale = np.sqrt(np.maximum(total_squares / count - mean**2, 0.0))
    return MapScaler(shift=pivot + mean, scale=scale)


def map_extremes(dataset, map_transform="log10"):
    """Smallest and largest value of the modelled map in each channel: two arrays `[C]`; reads the maps in chunks."""
    lowest, highest = np.full(dataset.num_channels, np.inf), np.full(dataset.num_channels, -np.inf)
    for _, chunk in map_chunks(dataset.maps):
        pixels = chunk.reshape(-1, dataset.num_channels)
        lowest, highest = np.minimum(lowest, pixels.min(axis=0)), np.maximum(highest, pixels.max(axis=0))
    return modelled_map(lowest, map_transform), modelled_map(highest, map_transform)


def _check_positive(dataset):
    if dataset.zero_pixels:
        raise InputError(
            "The maps must be positive for a scaler of log10 maps (apply a ZeroFloor fitted on the training maps; or model "
            f'the maps themselves, map_transform="identity"). Received: {dataset.zero_pixels} pixels that are exactly zero.'
        )
    negative = 0 if dataset.map_transform == "log10" else count_negative(dataset.maps)
    if negative:
        raise InputError(
            'The maps must be positive for a model of log10 maps; map_transform="identity" models the maps themselves. '
            f"Received: {negative} negative pixels."
        )
