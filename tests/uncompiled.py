"""Models without XLA, for tests of what is built on them."""

import functools

import pytest

from higlow_tf.models import TRENF, ConditionalGlow, HIFlow

__all__ = ["no_compilation"]


@pytest.fixture(scope="module", autouse=True)
def no_compilation():
    """XLA would take most of the time of these tests, and what it compiles is tested with the model."""
    with pytest.MonkeyPatch.context() as patch:
        for model in (ConditionalGlow, HIFlow, TRENF):
            plain = functools.partial(_without_compilation, model._make_compiled)
            patch.setattr(model, "_make_compiled", functools.partialmethod(plain))
        yield


def _without_compilation(make_compiled, model, jit_compile):
    make_compiled(model, False)
