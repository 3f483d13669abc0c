"""How XLA compiles for a CPU."""

import os

__all__ = ["prefer_quick_compilation"]

_VARIABLE = "XLA_FLAGS"
_EXTRA_OPTIONS = "--xla_backend_extra_options="
# XLA 2.20 and later translate each small loop alone, through MLIR: a training step has hundreds of them. The older way
# compiles in half of the time, in less memory, to a program that is as quick (docs/performance.md). XLA ignores an extra option
# that it does not know.
_OLDER_WAY = "xla_cpu_disable_new_fusion_emitters"


def prefer_quick_compilation():
    """Lets XLA compile for the CPU in the way that is quicker for flows. A user's own extra options for XLA stay.

    This is a setting of XLA for the whole process. It must be made before XLA compiles anything there; later it does nothing.
    """
    flags = os.environ.get(_VARIABLE, "")
    if _EXTRA_OPTIONS not in flags:
        os.environ[_VARIABLE] = f"{flags} {_EXTRA_OPTIONS}{_OLDER_WAY}".strip()
