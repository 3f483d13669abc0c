"""What the names of CAMELS files say: kind, field, suite, set, redshift; and whether two names agree."""

import re
from dataclasses import dataclass
from pathlib import Path

from higlow_tf.data.parameters import nearest_name
from higlow_tf.errors import InputError

__all__ = [
    "CAMELS_SUITES",
    "CMD_FIELDS",
    "Field",
    "FileName",
    "check_same_origin",
    "numbers_in_labels",
    "own_suite",
    "parse_maps_name",
    "parse_table_name",
    "set_in_labels",
]

_SURFACE_DENSITY = "(Msun/h)/(Mpc/h)^2"


@dataclass(frozen=True)
class Field:
    """One field of CMD.

    Args:
        units: Of its two-dimensional maps.
        is_density: Whether a map is the integral of the three-dimensional grid along the line of sight (units of the grid
            times Mpc/h); otherwise it is a mean.
    """

    units: str
    is_density: bool = False


# https://camels-multifield-dataset.readthedocs.io/en/latest/data.html, which corrects the units of the paper.
CMD_FIELDS = {
    "HI": Field(_SURFACE_DENSITY, is_density=True),
    "Mgas": Field(_SURFACE_DENSITY, is_density=True),
    "Mcdm": Field(_SURFACE_DENSITY, is_density=True),
    "Mstar": Field(_SURFACE_DENSITY, is_density=True),
    "Mtot": Field(_SURFACE_DENSITY, is_density=True),
    "ne": Field("h^2/cm^3 (Mpc/h)", is_density=True),
    "Vgas": Field("km/s"),
    "Vcdm": Field("km/s"),
    "T": Field("Kelvin"),
    "P": Field("h^2 Msun (km/s)^2/kpc^3"),
    "Z": Field("dimensionless"),
    "B": Field("Gauss"),
    "MgFe": Field("dimensionless"),
}
CAMELS_SUITES = ("IllustrisTNG", "SIMBA", "Astrid", "Magneticum", "Swift-EAGLE", "Ramses", "Enzo")
# The table that the published HIGlow code ships: row by row that of the LH set of IllustrisTNG.
_HIGLOW_TABLE = "CAMELs_params.csv"
_SETS = ("LH", "CV", "1P", "EX", "BE", "SB")
_SET = re.compile(r"LH|CV|1P|EX|BE|SB\d*")
_MAPS_NAME = re.compile(r"(?P<kind>Maps|Images|Grids)_(?P<field>[^_]+)_(?P<rest>.+)_z=(?P<redshift>\d+(\.\d+)?)")
_PARAMS_NAME = re.compile(r"params_(?P<rest>.+)")
_RAW_TABLE_NAME = re.compile(rf"CosmoAstroSeed_(?P<suite>.+?)(_L(?P<box>\d+)n\d+)?(_(?P<set_name>{_SET.pattern}))?")
# N-body twins run from the parameters of their hydrodynamic simulation and share its table; "Nbody" alone says nothing.
_NBODY = "Nbody"


@dataclass(frozen=True)
class FileName:
    """What a name says. A field is None if the name does not say it.

    Args:
        kind: "Maps", "Images" or "Grids" for maps in the layout of CMD.
        field: A key of `CMD_FIELDS`.
        suite: As written, "Nbody_SIMBA" too.
        set_name: "LH", "CV", "1P", "EX", "BE", "SB28", ...
        redshift: As written.
        grid_size: Cells along a side of a three-dimensional grid.
        box_size_mpc_h: Side of the box.
    """

    kind: str | None = None
    field: str | None = None
    suite: str | None = None
    set_name: str | None = None
    redshift: float | None = None
    grid_size: int | None = None
    box_size_mpc_h: float | None = None


def parse_maps_name(path):
    """Reads `Maps_{field}_{suite}_{set}_z={z}`, `Images_...` (the set may be missing) and `Grids_..._{N}_z={z}`.

    Other names can only say a suite: they do so if they contain the name of exactly one suite of CAMELS.

    Raises:
        InputError: If the name has this form and its field or set does not exist.
    """
    match = _MAPS_NAME.fullmatch(Path(path).stem)
    if match is None:
        return FileName(suite=_suite_in(path))
    kind, field, words = match["kind"], match["field"], match["rest"].split("_")
    if field not in CMD_FIELDS:
        raise InputError(
            f"{path} must name a field of CMD, one of {', '.join(CMD_FIELDS)} "
            f"(did you mean {nearest_name(field, CMD_FIELDS)!r}?). Received: {field!r}."
        )
    grid_size = int(words.pop()) if kind == "Grids" and len(words) > 1 and words[-1].isdigit() else None
    set_name = words.pop() if _SET.fullmatch(words[-1]) else None
    if set_name is None and len(words) > 1 and not _is_camels_suite(words[-1]):
        # The files of the papers have no set, and others may have a suite of several words.
        if kind != "Images" or _is_camels_suite(words[-2]):
            _refuse_set(path, words[-1])
    return FileName(kind, field, "_".join(words) or None, set_name, float(match["redshift"]), grid_size)


def parse_table_name(path):
    """Reads `params_{set}_{suite}`, `params_{suite}` and `CosmoAstroSeed_{suite}_L{box}n{N}_{set}`.

    Raises:
        InputError: If the name has this form and its set does not exist.
    """
    if Path(path).name == _HIGLOW_TABLE:
        return FileName(suite="IllustrisTNG", set_name="LH")
    match = _RAW_TABLE_NAME.fullmatch(Path(path).stem)
    if match:
        box = match["box"] and float(match["box"])
        return FileName(suite=match["suite"], set_name=match["set_name"], box_size_mpc_h=box)
    match = _PARAMS_NAME.fullmatch(Path(path).stem)
    first, *others = match["rest"].split("_") if match else [""]
    if _SET.fullmatch(first):
        return FileName(suite="_".join(others) or None, set_name=first)
    if others and first != _NBODY and _is_camels_suite(others[-1]):
        _refuse_set(path, first)
    is_suite = first == _NBODY or _is_camels_suite(first)
    return FileName(suite=match["rest"] if is_suite else _suite_in(path))


def set_in_labels(labels):
    """The set after which simulations are named ("LH" of "LH_0"), or None."""
    words = {label.split("_")[0] for label in labels}
    return words.pop() if len(words) == 1 and _SET.fullmatch(next(iter(words))) else None


def numbers_in_labels(labels):
    """The numbers of simulations whose names are a word and a number (12 of "LH_12"). None of them if a name has another form."""
    matches = [re.fullmatch(r"[^_]+_(\d+)", label) for label in labels]
    return [int(match[1]) for match in matches] if all(matches) else []


def own_suite(suite):
    """The suite whose table a suite uses. N-body twins use that of their hydrodynamic simulations; None for "Nbody" alone."""
    return suite and (suite.removeprefix(_NBODY).removeprefix("_") or None)


def check_same_origin(maps_file, maps_name, other_file, other_name, what):
    """Refuses two files whose names speak of different suites or sets; N-body twins belong to their suite.

    Args:
        maps_file: Path of the maps.
        maps_name: Its `FileName`.
        other_file: Path of the other file.
        other_name: Its `FileName`.
        what: What the other file should be, "the parameter table".
    """
    for thing, first, second in (
        ("suite", own_suite(maps_name.suite), own_suite(other_name.suite)),
        ("set", maps_name.set_name, other_name.set_name),
    ):
        # "SB" may stand for "SB28"; no other name begins with another.
        if (
            first
            and second
            and not (first.lower().startswith(second.lower()) or second.lower().startswith(first.lower()))
        ):
            raise InputError(
                f"{maps_file} needs {what} of its own {thing}, {first}. "
                f"Received: {other_file}, which is named after {second}."
            )


def _is_camels_suite(word):
    return word.lower() in (suite.lower() for suite in CAMELS_SUITES)


def _suite_in(path):
    named = [suite for suite in CAMELS_SUITES if suite.lower() in Path(path).name.lower()]
    return named[0] if len(named) == 1 else None


def _refuse_set(path, word):
    raise InputError(f"{path} must name a set of CAMELS, one of {', '.join(_SETS)} (SB28). Received: {word!r}.")
