"""Calls again what may be called again."""

import random
import time

from higlow_tf.serving.client.errors import ServerError

__all__ = ["RETRIED", "with_retries"]

RETRIED = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
"""Codes of a server that is not there yet, is restarting, has lost the replica that was asked, or has too much to do. Everything
else would fail again: a request that does not fit, a model that does not exist, a time that has run out."""


def with_retries(call, num_retries, first_wait_s=0.5, sleep=time.sleep):
    """The result of `call()`.

    After an error whose code is in `RETRIED` it waits and calls again; each wait is about twice as long as the one before.
    All calls of a model are questions: asking twice changes nothing.

    Args:
        call: Function without arguments.
        num_retries: How often it is called again.
        first_wait_s: First wait in seconds.
        sleep: Function that waits.

    Raises:
        ServerError: The last one.
    """
    for attempt in range(num_retries):
        try:
            return call()
        except ServerError as error:
            if error.code not in RETRIED:
                raise
        # Many clients that were refused together must not come back together.
        sleep(first_wait_s * 2**attempt * random.uniform(0.8, 1.2))
    return call()
