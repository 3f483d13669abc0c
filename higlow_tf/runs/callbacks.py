"""Keras callbacks of a training run."""

import contextlib
import math
import time

import keras
import numpy as np
import tensorflow as tf

__all__ = ["CallProgress", "Clock", "LearningRateByProgress", "ProgressCallback", "WeightAverage"]

# The average is over few steps at first and reaches its full length later: momentum (1 + t) / (10 + t), as in TensorFlow.
_RAMP = 10.0


class Clock:
    """Progress of a run: the larger of the share of its steps and the share of its time.

    Args:
        total_steps: Steps of all epochs.
        max_seconds: Wall time of the run, or None.
        elapsed_seconds: Wall time that earlier parts of the run took, for a resumed one.
        agreed: Called with this process's seconds, and gives those that hold for all workers of a run; each of them reads
            the clock at the same places.

    Attributes:
        elapsed_seconds: Wall time of the run when the clock was last read.
        reserved_seconds: What a last validation will take.
    """

    def __init__(self, total_steps, max_seconds=None, elapsed_seconds=0.0, agreed=float):
        self.total_steps = total_steps
        self.max_seconds = max_seconds
        self.reserved_seconds = 0.0
        self.elapsed_seconds = elapsed_seconds
        self._start = time.monotonic() - elapsed_seconds
        self._agreed = agreed

    def read(self):
        """Sets `elapsed_seconds` to the time now, and returns it."""
        self.elapsed_seconds = self._agreed(time.monotonic() - self._start)
        return self.elapsed_seconds

    def progress(self, step):
        """Between 0 and 1."""
        shares = [step / self.total_steps]
        if self.max_seconds is not None:
            shares.append(self.elapsed_seconds / max(self.max_seconds - self.reserved_seconds, 1e-9))
        return min(max(shares), 1.0)

    @property
    def is_over(self):
        """Whether the time is up. The time of a last validation is kept free."""
        return self.max_seconds is not None and self.elapsed_seconds + self.reserved_seconds >= self.max_seconds


class ProgressCallback(keras.callbacks.Callback):
    """Base of callbacks that show how far a run is: its steps, and the clock that the run ends by.

    Attributes:
        clock: `Clock` of the run; set before training begins.
        flow: Number of the flow that is trained, of an ensemble.
    """

    clock = None
    flow = 1

    def on_train_begin(self, logs=None):
        self._step = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1

    @property
    def share(self):
        """Share of the run that is done, between 0 and 1."""
        return self.clock.progress(self._step)

    def on_stage(self, stage, done, total):
        """Called while work goes on after training, whose name is `stage`; shows nothing unless it is overridden."""


class CallProgress(ProgressCallback):
    """Calls `progress("training", done, 1000)` after every step."""

    _TOTAL = 1000

    def __init__(self, progress):
        super().__init__()
        self._progress = progress

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self._progress("training", round(self._TOTAL * self.share), self._TOTAL)

    def on_train_end(self, logs=None):
        self._progress("training", self._TOTAL, self._TOTAL)

    def on_stage(self, stage, done, total):
        self._progress(stage, done, total)


class LearningRateByProgress(keras.callbacks.Callback):
    """Linear warm-up in steps, then half a cosine in the progress of the clock; ends the epoch when time is up.

    Args:
        clock: `Clock`.
        peak: Highest learning rate.
        final_fraction: Share of it at the end.
        warmup_steps: Steps of the warm-up.
    """

    def __init__(self, clock, peak, final_fraction, warmup_steps):
        super().__init__()
        self._clock = clock
        self._peak = peak
        self._final_fraction = final_fraction
        self._warmup_steps = warmup_steps
        self._step = 0

    def on_train_begin(self, logs=None):
        self._step = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_begin(self, batch, logs=None):
        warmup = min(1.0, (self._step + 1) / max(self._warmup_steps, 1))
        cosine = 0.5 * (1.0 + math.cos(math.pi * self._clock.progress(self._step)))
        rate = self._peak * warmup * (self._final_fraction + (1.0 - self._final_fraction) * cosine)
        self.model.optimizer.learning_rate.assign(rate)

    def on_train_batch_end(self, batch, logs=None):
        self._step += 1
        self._clock.read()
        if self._clock.is_over:
            self.model.stop_training = True


class WeightAverage(keras.callbacks.Callback):
    """Exponential moving average of the weights; validation uses it.

    Math:
        average = m average + (1 - m) weights after every step,  m = min(momentum, (1 + t) / (10 + t))

    Args:
        momentum: Long-time momentum m; 0 for no averaging.
    """

    def __init__(self, momentum):
        super().__init__()
        self._momentum = momentum
        self._average = None
        self._step = None

    def set_model(self, model):
        super().set_model(model)
        if self._average is None:
            self._step = tf.Variable(0.0)
            self._average = [tf.Variable(variable.numpy()) for variable in model.trainable_variables]

    def on_train_batch_end(self, batch, logs=None):
        self._update()

    def on_test_begin(self, logs=None):
        self._own = self._swap_in()

    def on_test_end(self, logs=None):
        self._assign(self._own)

    @contextlib.contextmanager
    def applied(self):
        """The model has the averaged weights inside this block."""
        own = self._swap_in()
        try:
            yield
        finally:
            self._assign(own)

    def get_state(self):
        """NumPy arrays for a checkpoint."""
        return [self._step.numpy(), *[average.numpy() for average in self._average]]

    def set_state(self, state):
        """The inverse of `get_state`; the model must be set."""
        for variable, value in zip([self._step, *self._average], state, strict=True):
            variable.assign(value)

    @tf.function(autograph=False)
    def _update(self):
        momentum = tf.minimum(self._momentum, (1.0 + self._step) / (_RAMP + self._step))
        self._step.assign_add(1.0)
        for average, variable in zip(self._average, self.model.trainable_variables, strict=True):
            keep = tf.cast(momentum, average.dtype)
            average.assign(keep * average + (1.0 - keep) * tf.convert_to_tensor(variable))

    def _swap_in(self):
        own = [np.array(variable) for variable in self.model.trainable_variables]
        self._assign([average.numpy() for average in self._average])
        return own

    def _assign(self, values):
        for variable, value in zip(self.model.trainable_variables, values, strict=True):
            variable.assign(value)
