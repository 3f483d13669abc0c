"""The progress of a training run, as a bar on a terminal and as a line an epoch elsewhere."""

import math
import sys

import keras

from higlow_tf.cli.console import say, time_text
from higlow_tf.runs.callbacks import Clock

__all__ = ["TrainProgress"]

_UNITS = 1000


class TrainProgress(keras.callbacks.Callback):
    """Shows epoch, step, losses in nats per pixel, learning rate, skipped steps and time left.

    Used as a context: the bar leaves the terminal as it was, however the run ends.

    Args:
        max_minutes: Wall time of the run, or None.
        elapsed_seconds: Wall time of earlier parts of the run.
        on_begin: Called without arguments when training begins, or None.
    """

    def __init__(self, max_minutes, elapsed_seconds, on_begin=None):
        super().__init__()
        # Its steps are set when they are known; the time starts now, as that of the run does.
        self._clock = Clock(math.inf, None if max_minutes is None else 60.0 * max_minutes, elapsed_seconds)
        self._on_begin = on_begin
        self._bar = None
        self._task = None
        self._step = 0
        self._epoch = 0
        self._epoch_step = 0
        self._validation = None
        self._skipped = 0

    def __enter__(self):
        if sys.stdout.isatty():
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.percentage:3.0f} %")
            )
            self._bar.start()
            self._task = self._bar.add_task("starting (the first step compiles)", total=_UNITS)
        return self

    def __exit__(self, *error):
        if self._bar is not None:
            self._bar.stop()

    def on_train_begin(self, logs=None):
        if self._on_begin is not None:
            self._on_begin()
        self._step = int(self.model.optimizer.iterations.numpy())
        self._clock.total_steps = self.params["epochs"] * self.params["steps"]

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._epoch_step = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        self._epoch_step += 1
        if self._bar is not None:
            self._show(self._text(logs, int(logs["skipped_steps"])))

    def on_test_begin(self, logs=None):
        if self._bar is not None:
            self._show(f"epoch {self._epoch + 1}: validating")

    def on_epoch_end(self, epoch, logs=None):
        self._validation = logs["val_loss"]
        self._skipped += int(logs["skipped_steps"])
        text = self._text(logs, 0)
        if self._bar is None:
            say(text)
        else:
            self._show(text)

    def _show(self, text):
        self._bar.update(self._task, description=text, completed=_UNITS * self._clock.progress(self._step))

    def _text(self, logs, skipped_in_epoch):
        progress = self._clock.progress(self._step)
        left = time_text(self._clock.elapsed_seconds * (1.0 - progress) / progress)
        validation = "-" if self._validation is None else f"{self._validation:.4f}"
        return (
            f"epoch {self._epoch + 1}/{self.params['epochs']} step {self._epoch_step}/{self.params['steps']}  "
            f"training {logs['loss']:.4f}  validation {validation}  nats/pixel  "
            f"rate {float(self.model.optimizer.learning_rate.numpy()):.1e}  "
            f"skipped {self._skipped + skipped_in_epoch}  left {left}"
        )
