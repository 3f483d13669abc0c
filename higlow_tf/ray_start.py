"""Starts Ray, or connects to it, with more patience than Ray has."""

import logging

__all__ = ["start_ray"]

# Ray waits half a minute for its own processes, which a busy machine may need for their imports alone.
_ATTEMPTS = 3
_SLOW_START = "timed out during startup"


def start_ray(*, quiet=True, **options):
    """`ray.init(**options)`, again if Ray's own processes were too slow.

    Args:
        quiet: Whether nothing is logged meanwhile; a second attempt would announce itself, whatever level it is told.
        **options: Of `ray.init`.

    Raises:
        Exception: Whatever Ray raises.
    """
    import ray

    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL if quiet else disabled)
    try:
        for attempt in range(_ATTEMPTS):
            try:
                ray.init(**options)
                return
            except Exception as error:
                if _SLOW_START not in str(error) or attempt + 1 == _ATTEMPTS:
                    raise
                ray.shutdown()
    finally:
        logging.disable(disabled)
