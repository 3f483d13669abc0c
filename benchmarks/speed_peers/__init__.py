"""The programs that `higlow_tf` is timed beside."""

__all__ = []
