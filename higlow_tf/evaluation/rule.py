"""The rule of the verdict: when a number is off, which bin is the worst, and the words for it."""

import numpy as np

__all__ = ["EXPLANATION", "OFF", "PASS", "SINGLE", "UNKNOWN", "WORST_OF_MANY", "judged", "tolerance", "worst_bin"]

PASS, OFF, UNKNOWN = "pass", "off", "cannot tell"

# A number that was chosen before looking at the results may be this many errors off.
SINGLE = 2.0
# The worst of many bins may be this many errors off: so far it comes by chance now and then.
WORST_OF_MANY = 3.0

EXPLANATION = (
    "A number is off if it is farther from its ideal value than twice its error (in the worst of many bins: three times) and "
    "than the floor. Errors are over simulations. The floor is what simulated maps show among themselves."
)


def judged(metric, ideal, num_errors=SINGLE):
    """Whether a metric is off: its distance from the ideal value is larger than so many errors and larger than its floor."""
    allowed = tolerance(metric.error, metric.floor, num_errors)
    if metric.value is None or allowed is None:
        return UNKNOWN
    return PASS if abs(metric.value - ideal) <= allowed else OFF


def tolerance(error, floor, num_errors):
    """The largest deviation that means nothing: so many errors, or the floor if that is larger; None without either.

    A floor of real against real is the mean size of a deviation. It holds the scatter of the parameters. This scatter cancels
    if the generated maps are at the parameters of the real maps. Therefore the floor is already wide, and it is never
    multiplied.
    """
    scales = [factor * scale for factor, scale in ((num_errors, error), (1.0, floor)) if scale is not None]
    return np.max(scales, axis=0) if scales else None


def worst_bin(deviation, error, floor):
    """The bin whose deviation is the largest multiple of its `tolerance`; without errors and floors, the largest deviation."""
    scale = tolerance(error, floor, WORST_OF_MANY)
    if scale is None:
        return int(np.argmax(np.abs(deviation)))
    # A bin without any scatter counts by its deviation.
    return int(np.argmax(np.abs(deviation) / np.where(scale > 0, scale, 1.0)))
