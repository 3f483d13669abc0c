"""What all commands share: errors as one sentence, warnings as one line, progress, and quiet libraries.

Nothing heavy is imported here: TensorFlow, Keras and rich come with the command that needs them.
"""

import contextlib
import functools
import importlib
import logging
import os
import sys
import time
import traceback
import warnings
from dataclasses import dataclass

import typer

from higlow_tf.errors import InputError, InputWarning, LostWorkerError

__all__ = [
    "INTERRUPTED",
    "SETTINGS",
    "guarded",
    "load_tensorflow",
    "print_table",
    "progress_bar",
    "quiet_libraries",
    "rate_text",
    "say",
    "time_text",
]

# The last but one is EX_TEMPFAIL of BSD: the same command can succeed, so a queue may start it again.
INPUT_ERROR, UNEXPECTED_ERROR, LOST_WORKER, INTERRUPTED = 2, 1, 75, 130
# Where stdout is a file, a progress line may come this often.
_PLAIN_SECONDS = 20.0


@dataclass
class Settings:
    """Global options of one call."""

    debug: bool = False


SETTINGS = Settings()


def quiet_libraries():
    """Silences what TensorFlow and its libraries log; a user's own settings stay. Call before importing them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)


def load_tensorflow():
    """Imports TensorFlow without the lines that its C++ libraries write at their start, before any log level applies.

    Every command that needs TensorFlow calls this before anything else imports it. With --debug the lines are shown. Keras is
    told to compute with TensorFlow, whatever other programs on this machine have told it. What XLA compiles is kept.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if "tensorflow" in sys.modules:
        return
    from higlow_tf.compiled_programs import keep_compiled_programs

    with contextlib.nullcontext() if SETTINGS.debug else _without_stderr():
        importlib.import_module("tensorflow")
        keep_compiled_programs()


@contextlib.contextmanager
def _without_stderr():
    """Hides what C++ libraries write, too."""
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def say(text="", **style):
    """Prints a line on stdout; colours only on a terminal."""
    typer.secho(text, **style)


def guarded(command):
    """Wraps a command: wrong input gives one sentence and exit code 2, any other failure gives exit code 1.

    `InputWarning`s are printed once each. Warnings of libraries are shown only with --debug.
    """

    @functools.wraps(command)
    def run(*args, **kwargs):
        with warnings.catch_warnings():
            _show_warnings()
            try:
                return command(*args, **kwargs)
            except (typer.Exit, typer.Abort):
                raise
            except InputError as error:
                _fail(str(error), INPUT_ERROR, error)
            except LostWorkerError as error:
                _fail(str(error), LOST_WORKER, error)
            except KeyboardInterrupt as error:
                _fail("Stopped by Ctrl-C.", INTERRUPTED, error)
            except BrokenPipeError:
                # The reader of our output has seen enough; nothing may be written there any more, at exit neither.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(UNEXPECTED_ERROR) from None
            except Exception as error:
                reason = (str(error).strip() or "no message").splitlines()[0]
                text = f"Unexpected {type(error).__name__}: {reason} (run again with --debug for the traceback)"
                _fail(text, UNEXPECTED_ERROR, error)

    return run


def _fail(text, code, error):
    if SETTINGS.debug:
        traceback.print_exception(error)
    typer.secho(" ".join(text.split()), err=True, fg=None if code == INTERRUPTED else "red")
    raise typer.Exit(code)


def _show_warnings():
    seen = set()

    def show(message, category, filename, lineno, file=None, line=None):
        text = " ".join(str(message).split())
        if text not in seen:
            seen.add(text)
            label = "Warning" if issubclass(category, InputWarning) else f"{category.__name__} ({filename}:{lineno})"
            typer.secho(f"{label}: {text}", err=True, fg="yellow")

    warnings.simplefilter("default" if SETTINGS.debug else "ignore")
    warnings.simplefilter("always", InputWarning)
    warnings.showwarning = show


def time_text(seconds):
    """Seconds as "1:02:03" or "2:03"."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def rate_text(rate):
    """A number a second with three digits or, if it is large, whole: "0.0123", "45.6", "7,190"."""
    return f"{rate:,.0f}" if rate >= 1000 else f"{rate:.3g}"


@contextlib.contextmanager
def progress_bar():
    """Yields `progress(stage, done, total)`: one bar for each stage on a terminal, and a line now and then elsewhere.

    Both tell how many are done in a second, and the time left.
    """
    if not sys.stdout.isatty():
        yield _plain_progress()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns) as bars:
        tasks, paces = {}, {}

        def progress(stage, done, total):
            if stage not in tasks:
                tasks[stage], paces[stage] = bars.add_task(stage, total=total, rate=""), _Pace(done)
            rate = paces[stage].rate(done)
            bars.update(tasks[stage], completed=done, total=total, rate=f"{rate_text(rate)}/s" if rate else "")

        yield progress


def _plain_progress():
    last, paces = time.monotonic(), {}

    def progress(stage, done, total):
        nonlocal last
        rate = paces.setdefault(stage, _Pace(done)).rate(done)
        if time.monotonic() - last > _PLAIN_SECONDS:
            last = time.monotonic()
            pace_text = f", {rate_text(rate)}/s, {time_text((total - done) / rate)} left" if rate else ""
            say(f"{stage}: {done} of {total}{pace_text}")

    return progress


class _Pace:
    """How fast a stage goes since its first call, before which an earlier command may have done much."""

    def __init__(self, done):
        self._begin(done)

    def rate(self, done):
        """Done in a second; 0 if that cannot be told yet. A stage that begins again is timed anew."""
        if done < self._last:
            self._begin(done)
        self._last, seconds = done, time.monotonic() - self._started
        return (done - self._first) / seconds if seconds > 0.0 else 0.0

    def _begin(self, done):
        self._started, self._first, self._last = time.monotonic(), done, done


def print_table(headers, rows, title=None):
    """Prints a table; the first column names the rows."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*[escape(str(cell)) for cell in row])
    Console().print(table)
