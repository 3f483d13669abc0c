"""Which columns of a table a model is conditioned on, from the many ways to say it."""

import warnings
from pathlib import Path

from higlow_tf.data.parameter_info import read_parameter_info
from higlow_tf.data.parameters import CAMELS_PARAMETERS, ParameterSpace, ParameterSpec
from higlow_tf.errors import InputError, InputWarning

__all__ = ["condition_space", "num_of_interest"]

_INFO_SUFFIXES = (".txt", ".csv")
# More nuisance parameters must be asked for: a few draws cannot integrate over them.
_MOST_KNOWN = 4


def condition_space(parameters, nuisance, table):
    """The parameters that one asks for, then the nuisance parameters, in the order of the table.

    Args:
        parameters: Names of columns, `ParameterSpec`s or their configurations; a `ParameterSpace`; "all"; or the path of an
            `Info_*.txt` file of CAMELS.
        nuisance: The same; "all" and a file mean the columns that are not among `parameters`. "known" means those of them that
            have a known prior, if they are not more than four. () for none.
        table: `ParameterTable`.

    Returns:
        `ParameterSpace`.

    Raises:
        InputError: If a column is missing, has no known prior, or is asked for and a nuisance at once.

    Warns:
        InputWarning: With "known", of columns that are left out.
    """
    asked = _entries(parameters, table, ())
    names = [_name(entry) for entry in asked]
    others = _known(table, names) if nuisance == "known" else _entries(nuisance, table, names)
    both = [_name(entry) for entry in others if _name(entry) in names]
    if both:
        raise InputError(
            f"nuisance: expected other parameters than {', '.join(names)}, which are asked for. "
            f"Received: {', '.join(both)}."
        )
    others = sorted(others, key=lambda entry: table.names.index(_name(entry)))
    return ParameterSpace.from_names([*asked, *others])


def num_of_interest(parameters, space):
    """How many parameters of a `condition_space` are asked for; they come first."""
    listed = _listed(parameters)
    return len(space) if listed == "all" else len(listed)


def _entries(chosen, table, left_out):
    """Names, specs and configurations of columns, without those that are left out of a file or of "all"."""
    listed = _listed(chosen)
    if listed == "all":
        listed = [name for name in table.parameter_names if name not in left_out]
        unknown = [name for name in listed if name not in CAMELS_PARAMETERS]
        if unknown:
            raise InputError(
                f"{table.path} has columns without a known prior; name the parameters, with low and high, or give the "
                f"Info_*.txt file of CAMELS. Received: {', '.join(unknown)}."
            )
    elif _is_file(chosen):
        listed = [spec for spec in listed if spec.name not in left_out]
    for entry in listed:
        table.column(_name(entry))
    return listed


def _known(table, left_out):
    """Names of the other columns that have a known prior, unless they are many."""
    others = [name for name in table.parameter_names if name not in left_out]
    known = [name for name in others if name in CAMELS_PARAMETERS]
    if len(known) > _MOST_KNOWN:
        known = []
    if len(known) < len(others):
        missing = [name for name in others if name not in known]
        shown = ", ".join(missing[:_MOST_KNOWN]) + (" and others" if len(missing) > _MOST_KNOWN else "")
        warnings.warn(
            f"{table.path}: the model is not told {shown}, which vary, too. It can be, with nuisance (--nuisance).",
            InputWarning,
            stacklevel=4,
        )
    return known


def _listed(chosen):
    """A list of names, specs and configurations, or "all"."""
    if isinstance(chosen, ParameterSpace):
        return chosen.specs
    if _is_file(chosen):
        return read_parameter_info(chosen)
    if chosen == "all":
        return chosen
    return (chosen,) if isinstance(chosen, (str, dict, ParameterSpec)) else chosen


def _is_file(chosen):
    return isinstance(chosen, (str, Path)) and Path(chosen).suffix in _INFO_SUFFIXES


def _name(entry):
    return entry.get("name") if isinstance(entry, dict) else getattr(entry, "name", entry)
