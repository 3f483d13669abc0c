"""The default that all layers with a log-scale share."""

__all__ = ["MAX_LOG_SCALE"]

# Bound of |log_scale| of one step: a factor between 1/e and e.
MAX_LOG_SCALE = 1.0
