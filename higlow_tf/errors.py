"""The one exception for wrong input: a sentence that names the file, what was expected and what was found."""

__all__ = ["InputError", "InputWarning"]


class InputError(ValueError):
    """Input that cannot be used. The command line prints it as one sentence and ends with exit code 2."""


class InputWarning(UserWarning):
    """Input that can be used, but that a careful user would look at."""
