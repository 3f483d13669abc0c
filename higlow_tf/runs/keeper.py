"""What is kept of every epoch of a run."""

import math

import keras

__all__ = ["RunKeeper"]

# Columns of history.csv that only the second stage has: the two terms of the loss.
_POSTERIOR_COLUMNS = ("nll", "posterior", "val_nll", "val_posterior")


class RunKeeper(keras.callbacks.Callback):
    """Writes checkpoint, history and best model after every epoch, and stops a run that no longer improves.

    Args:
        run: `RunDirectory`, or None in a worker that is not the chief, and writes nothing.
        average: `WeightAverage`.
        clock: `Clock`.
        state: State of the run, as in its checkpoint; changed in place.
        best_model: Bytes of model.keras, or None if there is no best epoch yet.
        epoch_counter: The counter of the training batches: it tells them which epoch it is.
        patience: Epochs without improvement after which to stop.
    """

    def __init__(self, run, average, clock, state, best_model, epoch_counter, patience):
        super().__init__()
        self._run = run
        self._average = average
        self._clock = clock
        self._state = state
        self._best_model = best_model
        self._epoch_counter = epoch_counter
        self._patience = patience

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_counter.set(epoch)
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self._steps += 1

    def on_test_begin(self, logs=None):
        self._test_start = self._clock.read()

    def on_test_end(self, logs=None):
        self._clock.reserved_seconds = self._clock.read() - self._test_start

    def on_epoch_end(self, epoch, logs=None):
        state, loss = self._state, logs["val_loss"]
        is_best = math.isfinite(loss) and (state["best"] is None or loss < state["best"])
        if is_best:
            state["best"], state["best_epoch"] = float(loss), epoch
            if self._run is not None:
                with self._average.applied():
                    self._best_model = self._run.write_model(self.model)
        state["epoch"] = epoch + 1
        state["elapsed_seconds"] = self._clock.elapsed_seconds
        state["history"].append(
            {
                "epoch": epoch + 1,
                # The epoch in which the time ran out has fewer batches: its training loss is that of few maps.
                "steps": self._steps,
                "wall_minutes": round(self._clock.elapsed_seconds / 60.0, 4),
                "loss": float(logs["loss"]),
                "val_loss": float(loss),
                **{name: float(value) for name, value in logs.items() if name in _POSTERIOR_COLUMNS},
                "learning_rate": float(self.model.optimizer.learning_rate.numpy()),
                "skipped_steps": int(logs["skipped_steps"]),
            }
        )
        if self._run is not None:
            self._run.write_history(state["history"])
            self._run.checkpoints.write(self.model, self._average, state, self._best_model)
        if epoch - state["best_epoch"] >= self._patience or self._clock.is_over:
            self.model.stop_training = True
