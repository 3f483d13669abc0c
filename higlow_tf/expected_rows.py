"""How many rows a job will ask a model for, call by call: whoever runs the job knows it, and the model need not guess."""

import contextlib
import contextvars

__all__ = ["expect_rows", "expected_rows"]

_expected = contextvars.ContextVar("expected_rows", default=0)


def expected_rows():
    """Rows of the job that a call is part of; 0 if nobody said."""
    return _expected.get()


@contextlib.contextmanager
def expect_rows(num_rows):
    """Within it, each call of a model is part of a job of so many rows (or of the larger job around it)."""
    token = _expected.set(max(int(num_rows), _expected.get()))
    try:
        yield
    finally:
        _expected.reset(token)
