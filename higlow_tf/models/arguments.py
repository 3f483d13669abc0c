"""Turns what a user hands to the model into tensors, or into one clear sentence."""

import warnings

import numpy as np
import tensorflow as tf

from higlow_tf.data.parameters import ParameterSpace, nearest_name
from higlow_tf.errors import InputError, InputWarning

__all__ = [
    "check_training_data",
    "latents_and_theta",
    "maps_and_theta",
    "nuisance_names",
    "parameter_space",
    "per_level",
    "start_batch",
    "theta_rows",
    "unpack_batch",
]


def parameter_space(parameters):
    """Names, specs, their configurations or a `ParameterSpace` -> `ParameterSpace`."""
    return parameters if isinstance(parameters, ParameterSpace) else ParameterSpace.from_names(parameters)


def nuisance_names(nuisance, parameters):
    """Names of parameters that one does not ask for -> tuple of them, in the order of the `ParameterSpace`."""
    names = [nuisance] if isinstance(nuisance, str) else list(nuisance)
    for name in names:
        if name not in parameters.names:
            raise InputError(
                f"nuisance: expected names among {', '.join(parameters.names)} "
                f"(did you mean {nearest_name(name, parameters.names)!r}?). Received: {name!r}."
            )
    if set(names) == set(parameters.names):
        raise InputError(
            f"nuisance: expected one parameter or more beside them, which one asks for. Received: all, {', '.join(names)}."
        )
    return tuple(name for name in parameters.names if name in names)


def per_level(value, num_levels, name):
    """One number for all levels, or one a level -> a list of one a level."""
    if not isinstance(value, (list, tuple)):
        return [value] * num_levels
    if len(value) != num_levels:
        raise InputError(f"Expected {name} to be one number or one a level, {num_levels}. Received: {list(value)}.")
    return list(value)


def theta_rows(model, theta):
    """Theta as a tensor `[N, P]`; warns where eager values lie outside the prior."""
    theta = tf.convert_to_tensor(np.asarray(theta) if isinstance(theta, (list, tuple)) else theta)
    theta = tf.cast(theta, model.compute_dtype)
    if theta.shape.rank != 2 or theta.shape[1] != len(model.parameters):
        raise InputError(
            f"Expected theta of shape [N, {len(model.parameters)}] with the columns {', '.join(model.parameters.names)}. "
            f"Received: shape {tuple(theta.shape)}."
        )
    if not tf.inside_function():
        outside = model.parameters.describe_outside(theta.numpy())
        if outside:
            warnings.warn(f"The model extrapolates: {outside}", InputWarning, stacklevel=3)
    return theta


def maps_and_theta(model, hi_maps, theta):
    """Maps as `[N, H, W, C]` and theta as `[N, P]`; one row on either side serves all of the other."""
    hi_maps = tf.cast(hi_maps, model.compute_dtype)
    size, channels, received = model.map_size, model.num_channels, tuple(hi_maps.shape)
    if channels == 1 and hi_maps.shape.rank == 3:
        hi_maps = hi_maps[..., None]
    if hi_maps.shape.rank != 4 or tuple(hi_maps.shape[1:]) != (size, size, channels):
        raise InputError(
            f"Expected maps of shape [N, {size}, {size}{'' if channels == 1 else f', {channels}'}]. "
            f"Received: shape {received}."
        )
    theta = theta_rows(model, theta)
    num_maps, num_rows = hi_maps.shape[0], theta.shape[0]
    if num_maps != num_rows and num_rows == 1:
        theta = tf.repeat(theta, tf.shape(hi_maps)[0], axis=0)
    elif num_maps != num_rows and num_maps == 1:
        hi_maps = tf.repeat(hi_maps, tf.shape(theta)[0], axis=0)
    elif num_maps != num_rows:
        raise InputError(f"Expected as many maps as rows of theta, or one. Received: {num_maps} and {num_rows}.")
    return hi_maps, theta


def latents_and_theta(model, z, theta):
    """Latents as `[N, D]` and theta as `[N, P]`."""
    z = tf.cast(z, model.compute_dtype)
    if z.shape.rank != 2 or z.shape[1] != model.num_dimensions:
        raise InputError(f"Expected latents of shape [N, {model.num_dimensions}]. Received: shape {tuple(z.shape)}.")
    theta = theta_rows(model, theta)
    if not z.shape[:1].is_compatible_with(theta.shape[:1]):
        raise InputError(
            f"Expected a row of theta for each of the latents. Received: {theta.shape[0]} and {z.shape[0]}."
        )
    return z, theta


def unpack_batch(model, data):
    """A Keras batch (theta, maps[, weight]) -> tensors with a channel axis and a weight a map."""
    theta, hi_maps, *weight = data
    hi_maps = tf.cast(hi_maps, model.compute_dtype)
    if hi_maps.shape.rank == 3:
        hi_maps = hi_maps[..., None]
    weight = tf.ones(tf.shape(hi_maps)[:1], model.compute_dtype) if not weight else tf.cast(weight[0], hi_maps.dtype)
    return tf.cast(theta, model.compute_dtype), hi_maps, tf.ensure_shape(weight, hi_maps.shape[:1])


def check_training_data(model, train):
    """Refuses data that the model cannot be trained on."""
    if (train.map_size, train.num_channels) != (model.map_size, model.num_channels):
        raise InputError(
            f"Expected maps of {model.map_size} x {model.map_size} pixels and {model.num_channels} channel(s). Received: "
            f"{train.map_size} x {train.map_size} and {train.num_channels}."
        )
    if tuple(train.parameters.names) != tuple(model.parameters.names):
        raise InputError(
            f"Expected the parameters {', '.join(model.parameters.names)}. Received: {', '.join(train.parameters.names)}."
        )
    outside = model.parameters.describe_outside(train.theta)
    if outside:
        raise InputError(f"Training needs parameters inside the prior: {outside}")


def start_batch(train, num_maps):
    """At most so many training maps, evenly spread, for a data-dependent start, `[n, H, W, C]` float64, and their simulations."""
    rows = np.unique(np.linspace(0, train.num_maps - 1, num_maps).astype(int))
    maps = np.asarray(train.maps[rows], dtype=np.float64)
    return maps if maps.ndim == 4 else maps[..., None], np.asarray(train.simulation)[rows]
