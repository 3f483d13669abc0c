"""The command line `higlow`. Imports nothing, so that its help is there at once."""

__all__ = []
