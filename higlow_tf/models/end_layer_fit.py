"""Fits the end layers of a trained flow: maps that it draws get the statistics of the training maps."""

import warnings
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.map_transforms import is_modelled
from higlow_tf.models.arguments import check_training_data
from higlow_tf.models.end_layer_statistics import TrainingStatistics, curve_knots, transport, wave_power
from higlow_tf.models.weights import copy_weights

__all__ = ["MIN_MAPS", "MIN_SIMULATIONS", "EndLayerFit", "fit_end_layers", "with_end_layers"]

MIN_SIMULATIONS = 8
"""Fewer simulations say too little about how maps of one cosmology differ."""
MIN_MAPS = 64
# Pixels that are looked at: 8192 maps of 64 x 64.
_MAX_PIXELS = 2**25
_MAX_ROUNDS = 12
# Statistics of the drawn maps that are off by less than this share of the sampling error of the training maps' are met.
_TOLERANCE = 0.3
# A round that leaves more than this share of the worst deviation of the round before is the last.
_GAIN = 0.9
_MAX_UNUSABLE = 1e-3
_CHUNK = 256


@dataclass(frozen=True)
class EndLayerFit:
    """What `fit_end_layers` has found.

    Attributes:
        model: The flow with its fitted end layers.
        num_maps, num_simulations: How many training maps it saw, and of how many simulations.
        num_unusable: Drawn maps that were not finite, and were left out.
        num_rounds: Rounds until nothing moved.
        before, after: Largest deviation of P(k) and of the pixels' quantiles from those of training maps, in sampling errors.
    """

    model: object
    num_maps: int
    num_simulations: int
    num_unusable: int
    num_rounds: int
    before: dict
    after: dict

    def describe(self):
        """What changed, in words."""
        moved = ", ".join(f"{name} {self.before[name]:.1f} -> {self.after[name]:.1f}" for name in self.after)
        return (
            f"end layers fitted to {self.num_maps} maps of {self.num_simulations} simulations in {self.num_rounds} rounds; "
            f"worst deviation in sampling errors: {moved}"
        )


def fit_end_layers(model, train, *, seed=0, progress=None):
    """Ends a trained flow with layers that give the maps it draws the statistics of the training maps.

    Definition:
        One map is drawn at the parameters of each training map. Then, in turn, until nothing moves:
        band powers: the covariance, at fixed parameters, of the mean and of the power in octaves of scale of a map becomes
            that of training maps (optimal transport of Gaussians);
        filter: times the square root of the ratio of the mean P(k);
        curve: quantiles of the pixels become those of training pixels.

    What it can and cannot do: the density stays exact and normalised, and `log_prob`, `sample` and the export use the
        layers. What is no function of these statistics stays what the flow makes of it.

    Args:
        model: A trained flow; end layers that it has are fitted anew.
        train: `HIMapDataset` of the maps that it was trained on, with the floor of training.
        seed: Seed of the drawn maps; the fit is a function of it.
        progress: Called as `progress("end layers", done, total)`.

    Returns:
        `EndLayerFit`; its `model` is a new one. The given one stays as it is. A calibration or a typicality of the old model
        does not hold for the new one, which has none.

    Raises:
        InputError: If there are fewer than 64 maps or 8 simulations, more than one drawn map in a thousand is not finite, or
            these are not maps that the model was trained on.

    Warns:
        InputWarning: If drawn maps were left out, if there are so few simulations that the polynomials have fewer terms, or
            if a statistic is off by more than its sampling error at the end.
    """
    progress = progress or (lambda stage, done, total: None)
    _check(model, train)
    train = _thinned(train)
    bare = with_end_layers(model, False)
    ended = with_end_layers(bare, True)
    ended.split = model.split
    real = _standardised(bare, np.asarray(train.maps))
    drawn, is_usable = _drawn(bare, train, seed, progress)
    fitter = _Fitter(
        ended, real, drawn, np.asarray(bare.normalize(train.theta)), np.asarray(train.simulation), is_usable
    )
    before = after = fitter.deviation(drawn)
    for num_rounds in range(1, _MAX_ROUNDS + 1):
        last, after = after, fitter.run_round()
        progress("end layers", _MAX_ROUNDS + num_rounds, 2 * _MAX_ROUNDS)
        if max(after.values()) < _TOLERANCE or max(after.values()) > _GAIN * max(last.values()):
            break
    worst = max(after, key=after.get)
    if after[worst] > 1.0:
        _warn(f"after {num_rounds} rounds {worst} is still off by {after[worst]:.1f} of its sampling error")
    progress("end layers", 2 * _MAX_ROUNDS, 2 * _MAX_ROUNDS)
    num_unusable = int(np.count_nonzero(~is_usable))
    return EndLayerFit(ended, len(is_usable), train.num_simulations, num_unusable, num_rounds, before, after)


class _Fitter:
    """The alternation: each layer is set to what the two others leave to do."""

    def __init__(self, model, real, drawn, condition, simulation, is_usable):
        self._weights = model.end_layer_weights
        self._to_waves, self._band_powers, self._filter, self._to_pixels, self._curve = model.end_layers.bijectors
        self._real = real
        self._real_condition, self._condition = condition, condition[is_usable]
        self._num_simulations = len(np.unique(simulation))
        self._statistics = TrainingStatistics.measure(real, _through([self._to_waves], real), simulation)
        self._drawn_waves = _through([self._to_waves], drawn)
        self._drawn_summaries = self._band_powers.summaries(self._drawn_waves).numpy()

    def deviation(self, maps):
        """How far maps are off, in sampling errors of the training maps, by name."""
        return self._statistics.compare(maps, _through([self._to_waves], maps))

    def run_round(self):
        """Sets each layer once, and returns how far the drawn maps are off then."""
        self._set_transport()
        waves = _through([self._band_powers], self._drawn_waves, self._condition)
        self._set_filter(waves)
        pixels = _through([self._filter, self._to_pixels], waves)
        knots = curve_knots(pixels, self._statistics)
        for weight, value in zip(
            (self._weights.knots_x, self._weights.knots_y, self._weights.knot_slopes), knots, strict=True
        ):
            weight.assign(value)
        return self.deviation(_through([self._curve], pixels))

    def _set_transport(self):
        before_ends = _through([self._filter, self._to_pixels, self._curve], self._real, is_inverse=True)
        matrix, coefficients, num_terms = transport(
            self._drawn_summaries,
            self._band_powers.summaries(before_ends).numpy(),
            self._condition,
            self._real_condition,
            self._num_simulations,
        )
        if num_terms < len(coefficients) and not np.any(self._weights.band_coefficients.numpy()):
            _warn(f"so few simulations that means have {num_terms} of {len(coefficients)} terms in the parameters")
        self._weights.band_matrix.assign(matrix)
        self._weights.band_coefficients.assign(coefficients)

    def _set_filter(self, waves):
        output = _through([self._filter, self._to_pixels, self._curve, self._to_waves], waves)
        change = 0.5 * np.log(self._statistics.power / wave_power(output))
        self._weights.log_transfer.assign_add(change)


def with_end_layers(model, is_wanted):
    """A copy of a flow with end layers (the identity, if it has none yet) or without."""
    copy = type(model).from_config({**model.get_config(), "use_end_layers": is_wanted})
    copy_weights(model, copy)
    return copy


def _through(bijectors, maps, condition=None, *, is_inverse=False):
    """Maps `[C, H, H, N]` through bijectors, in the order of the forward direction."""
    parts = []
    for start in range(0, maps.shape[-1], _CHUNK):
        part = tf.constant(maps[..., start : start + _CHUNK])
        of_part = None if condition is None else tf.constant(condition[start : start + _CHUNK], part.dtype)
        for bijector in reversed(bijectors) if is_inverse else bijectors:
            step = bijector.inverse_and_log_det if is_inverse else bijector.forward_and_log_det
            part, _ = step(part, of_part)
        parts.append(part.numpy())
    return np.concatenate(parts, axis=-1)


def _standardised(model, maps):
    """Physical maps `[N, H, W]` or with channels -> `[C, H, W, N]` in the units of the flow."""
    maps = maps if maps.ndim == 4 else maps[..., None]
    channel_major = np.ascontiguousarray(np.transpose(maps, (3, 1, 2, 0))).astype(model.compute_dtype)
    return _through([model.preprocessing], channel_major, is_inverse=True)


def _drawn(model, train, seed, progress):
    """A map at the parameters of each training map, standardised, without those that are not finite; and which are finite."""
    parts = []
    for start in range(0, train.num_maps, _CHUNK):
        parts.append(model.sample(np.asarray(train.theta[start : start + _CHUNK]), seed=seed, first_row=start).numpy())
        progress("end layers", round(_MAX_ROUNDS * start / train.num_maps, 2), 2 * _MAX_ROUNDS)
    maps = np.concatenate(parts)
    is_usable = is_modelled(maps, model.map_transform)
    num_unusable = np.count_nonzero(~is_usable)
    if num_unusable > _MAX_UNUSABLE * len(maps):
        raise InputError(
            "end layers: expected at most one drawn map in a thousand that is not finite. "
            f"Received: {num_unusable} of {len(maps)}."
        )
    if num_unusable:
        _warn(f"{num_unusable} of {len(maps)} drawn maps are not finite and were left out")
    return _standardised(model, maps[is_usable]), is_usable


def _check(model, train):
    check_training_data(model, train)
    if train.num_maps < MIN_MAPS or train.num_simulations < MIN_SIMULATIONS:
        raise InputError(
            f"end layers: expected at least {MIN_MAPS} maps of {MIN_SIMULATIONS} simulations. "
            f"Received: {train.num_maps} of {train.num_simulations}."
        )
    if model.split is None:
        return
    if train.content_hash() == model.split["content_hash"]:
        raise InputError("end layers: expected the training maps of the model. Received: all maps of its file.")
    # With a floor the maps are no longer those of the file, whose hashes the record has.
    known = set(model.split["map_hashes"]["train"])
    others = sum(map_hash not in known for map_hash in train.map_hashes()) if model.split["zero_floor"] is None else 0
    if others:
        raise InputError(
            f"end layers: expected maps that the model was trained on. Received: {others} others among {train.num_maps}."
        )


def _thinned(train):
    """Not more maps than are needed, of all simulations alike."""
    pixels = train.num_maps * train.num_channels * train.map_size**2
    stride = -(-pixels // _MAX_PIXELS)
    return train.select(range(0, train.num_maps, stride)) if stride > 1 else train


def _warn(words):
    warnings.warn(f"end layers: {words}", InputWarning, stacklevel=4)
