"""What a flow models of a map: log10 of its pixels, or the pixels in their own units."""

import difflib

import numpy as np

from higlow_tf.errors import InputError

__all__ = [
    "HI_UNITS",
    "MAP_TRANSFORMS",
    "check_map_transform",
    "default_units",
    "inverse_map_transform",
    "is_modelled",
    "map_transform_of",
    "modelled_map",
    "name_of_modelled_map",
]

MAP_TRANSFORMS = ("log10", "identity")
HI_UNITS = "(Msun/h)/(Mpc/h)^2"
_NAMES = {"log10": "log10 map", "identity": "map"}
_UNITS = {"log10": HI_UNITS, "identity": "not stated"}


def check_map_transform(map_transform):
    """Refuses, with an `InputError`, what is no map transform."""
    if map_transform not in MAP_TRANSFORMS:
        nearest = difflib.get_close_matches(str(map_transform), MAP_TRANSFORMS, n=1, cutoff=0.0)[0]
        raise InputError(
            f"map_transform: expected one of {', '.join(MAP_TRANSFORMS)} (did you mean {nearest!r}?). "
            f"Received: {map_transform!r}."
        )


def map_transform_of(model):
    """The map transform of any object with `log_prob`; "log10" where it does not say."""
    return getattr(model, "map_transform", "log10")


def modelled_map(maps, map_transform):
    """What the flow sees and what its density is of: log10 of the pixels, or the pixels; float64, of any shape."""
    return np.log10(maps, dtype=np.float64) if map_transform == "log10" else np.asarray(maps, dtype=np.float64)


def inverse_map_transform(modelled, map_transform):
    """The inverse of `modelled_map`."""
    return 10.0**modelled if map_transform == "log10" else modelled


def is_modelled(maps, map_transform):
    """Which maps have pixels that the transform takes, all of them: finite ones, and positive ones for "log10".

    Args:
        maps: `[N, H, W]` or `[N, H, W, C]`.
        map_transform: "log10" or "identity".

    Returns:
        bool `[N]`.
    """
    is_good = np.isfinite(maps)
    if map_transform == "log10":
        is_good &= maps > 0
    return np.all(is_good, axis=tuple(range(1, maps.ndim)))


def name_of_modelled_map(map_transform):
    """The words after "nats of the": "log10 map" or "map"."""
    return _NAMES[map_transform]


def default_units(map_transform):
    """Units of pixels whose source does not say them: those of HI maps for "log10"; "not stated" for any other map."""
    return _UNITS[map_transform]
