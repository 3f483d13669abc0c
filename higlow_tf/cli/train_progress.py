"""The progress of a training run, as a bar on a terminal and as a line an epoch elsewhere."""

import sys

from higlow_tf.cli.console import say, time_text
from higlow_tf.runs.callbacks import ProgressCallback

__all__ = ["TrainProgress"]

_UNITS = 1000


class TrainProgress(ProgressCallback):
    """Shows epoch, step, losses in nats per pixel, learning rate, skipped steps and time left.

    Used as a context: the bar leaves the terminal as it was, however the run ends.

    Args:
        num_flows: Flows of an ensemble that are trained one after the other.
    """

    def __init__(self, num_flows=1):
        super().__init__()
        self._num_flows = num_flows
        self._bar = None
        self._task = None
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
        super().on_train_begin(logs)
        self._validation, self._skipped = None, 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._epoch_step = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
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

    def on_stage(self, stage, done, total):
        if self._bar is not None:
            self._bar.update(self._task, description=stage, completed=_UNITS * done / total)

    def _show(self, text):
        self._bar.update(self._task, description=text, completed=_UNITS * self.share)

    def _text(self, logs, skipped_in_epoch):
        left = time_text(self.clock.elapsed_seconds * (1.0 - self.share) / self.share)
        validation = "-" if self._validation is None else f"{self._validation:.4f}"
        flow = "" if self._num_flows == 1 else f"flow {self.flow}/{self._num_flows} "
        return (
            f"{flow}epoch {self._epoch + 1}/{self.params['epochs']} step {self._epoch_step}/{self.params['steps']}  "
            f"training {logs['loss']:.4f}  validation {validation}  nats/pixel  "
            f"rate {float(self.model.optimizer.learning_rate.numpy()):.1e}  "
            f"skipped {self._skipped + skipped_in_epoch}  left {left}"
        )
