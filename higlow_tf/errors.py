"""Exceptions that are one sentence for the user: wrong input names the file, what was expected and what was found."""

__all__ = ["InputError", "InputWarning", "LostWorkerError"]


class InputError(ValueError):
    """Input that cannot be used. The command line prints it as one sentence and ends with exit code 2."""


class InputWarning(UserWarning):
    """Input that can be used, but that a careful user would look at."""


class LostWorkerError(RuntimeError):
    """Another process of a training is gone. The command line ends with exit code 75, which means: try again."""
