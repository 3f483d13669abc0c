"""The program, inside this process or in one of its own, and what a refusal must look like."""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from typer.testing import CliRunner

__all__ = ["Answer", "call", "start", "warnings_of", "wrong_refusal"]

_COMMAND = (sys.executable, "-c", "from higlow_tf.cli.app import main; main()")
# A sentence of a refusal, longer than any that names a path of a soak.
_MAX_SENTENCE = 1000
_WARNING = "Warning: "


@dataclass(frozen=True)
class Answer:
    """What a command said, how it ended and how long it took."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float = 0.0


def call(*arguments):
    """Runs a command in this process, so that TensorFlow is started once for many of them."""
    import keras

    from higlow_tf.cli.app import app

    # Keras numbers the layers of a process, and writes their names into the files of models.
    keras.backend.clear_session(free_memory=False)  # a collection of what hundreds of commands left takes seconds
    started = time.monotonic()
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return Answer(result.exit_code, result.stdout, result.stderr, time.monotonic() - started)


def start(*arguments, **options):
    """Starts a command in a process, and a group of processes, of its own; returns the `subprocess.Popen`."""
    return subprocess.Popen(
        [*_COMMAND, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        # Python handles SIGINT only if it was not ignored when it started, as it is in a background job.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


def warnings_of(answer):
    """The lines in which a command warned."""
    return [line for line in answer.stderr.splitlines() if line.startswith(_WARNING)]


def wrong_refusal(answer, name):
    """What is wrong with the refusal of an input: None, or a reason.

    Args:
        answer: `Answer`.
        name: The file, which the sentence must name; "" for any.
    """
    if answer.exit_code != 2:
        return f"exit code {answer.exit_code}: {answer.stderr.strip()[-300:]}"
    lines = [line for line in answer.stderr.splitlines() if line.strip() and not line.startswith(_WARNING)]
    if len(lines) != 1:
        return f"{len(lines)} lines instead of a sentence: {answer.stderr.strip()[-300:]}"
    if name not in lines[0]:
        return f"a sentence that does not name {name}: {lines[0][:300]}"
    if "Received" not in lines[0] and "expected" not in lines[0].lower():
        return f"a sentence that does not say what was expected: {lines[0][:300]}"
    return f"a sentence of {len(lines[0])} characters" if len(lines[0]) > _MAX_SENTENCE else None
