"""YAML that somebody else may have written: read within bounds of size, depth and repetition."""

import yaml

from higlow_tf.errors import InputError
from higlow_tf.text_files import read_text

__all__ = ["read_yaml"]

_EXPECTED = "a configuration file"
# A configuration has some ten lines and three levels.
_MAX_BYTES = 2**17
_MAX_DEPTH = 20
# Each can double what the file says: without a bound, a kilobyte becomes more than any memory.
_MAX_ALIASES = 10


def read_yaml(path):
    """Reads a YAML file of at most 128 KiB, 20 levels and 10 aliases.

    Raises:
        InputError: If the file is missing, no text, no YAML, or beyond these bounds.
    """
    text = read_text(path, _EXPECTED, _MAX_BYTES)
    try:
        _check_bounds(text, path)
        return yaml.safe_load(text)
    except InputError:
        raise
    # Besides its own errors, YAML lets through what a date or a very long number raises.
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, TypeError) as error:
        raise InputError(f"{path}: expected YAML. Received: {str(error).splitlines()[0]}.") from None


def _check_bounds(text, path):
    """Walks through the file without making anything of it."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > _MAX_DEPTH or aliases > _MAX_ALIASES:
            what = f"{_MAX_DEPTH} levels" if depth > _MAX_DEPTH else f"{_MAX_ALIASES} aliases"
            raise InputError(f"{path}: expected {_EXPECTED} of at most {what}. Received: more.")
