"""Asks a SavedModel about rows, in requests of one size, so that a row's answer has the same bits whenever it is asked."""

import numpy as np
import tensorflow as tf

from higlow_tf.errors import InputError

__all__ = ["LoadedModel"]

# Rows of a request: 64 maps stay in the cache of a core; one map of a posterior is hundreds of evaluations already.
_ROWS = {"log_prob": 64, "sample": 64, "posterior": 4}
# Points of a grid from which on a request has one map: exported models bound points times rows.
_LARGE_GRID = 4096


class LoadedModel:
    """The signature of a task.

    TensorFlow gets one thread: actors side by side use the cores better, and the sums then have one order.

    Args:
        model: `ServedModel`.
        settings: `TaskSettings`.

    Raises:
        InputError: If the SavedModel cannot be loaded or lacks the signature.
    """

    def __init__(self, model, settings):
        _use_one_thread()
        self._settings, self._path = settings, model.path
        try:
            # Kept, because the signatures do not keep the variables alive.
            self._loaded = tf.saved_model.load(model.path)
            self._signature = self._loaded.signatures[settings.task]
        except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise InputError(
                f"{model.path}: expected a SavedModel with the signature {settings.task}. Received: {reason}."
            ) from None
        if settings.task == "posterior":
            self._grid = settings.theta_grid(model)
        self.request_rows = self._fixed_rows() or self._own_rows()

    def __call__(self, *, maps=None, theta=None, rows=None):
        """The outputs of the signature.

        Args:
            maps: float32 `[N, H, W]` (or `[N, H, W, C]`), for log_prob and posterior.
            theta: `[N, P]`, for log_prob and sample.
            rows: Row numbers `[N]`, for sample.

        Returns:
            Dict of NumPy arrays with N rows.

        Raises:
            InputError: If the model refuses the request.
        """
        pieces, num_rows = [], len(theta if maps is None else maps)
        for start in range(0, num_rows, self.request_rows):
            wanted = np.minimum(np.arange(start, start + self.request_rows), num_rows - 1)
            try:
                answer = self._signature(**self._request(wanted, maps, theta, rows))
            except tf.errors.InvalidArgumentError as error:
                reason = " ".join(str(error.message).split())[:300]
                raise InputError(
                    f"{self._path}: expected a model that takes this request. Received: {reason}"
                ) from None
            pieces.append({name: tensor.numpy() for name, tensor in answer.items()})
        return {name: np.concatenate([piece[name] for piece in pieces])[:num_rows] for name in pieces[0]}

    def _request(self, wanted, maps, theta, rows):
        """The inputs of some rows; the last request repeats its last row, which is cut off again."""
        if self._settings.task == "log_prob":
            inputs = {"hi_map": maps[wanted], "theta": theta[wanted].astype(np.float32)}
        elif self._settings.task == "posterior":
            inputs = {
                "hi_map": maps[wanted],
                "theta_grid": np.broadcast_to(self._grid, (len(wanted), *self._grid.shape)),
            }
        else:
            seeds = np.stack([np.full(len(wanted), self._settings.seed), rows[wanted]], axis=1).astype(np.int64)
            temperature = np.full(len(wanted), self._settings.temperature, np.float32)
            inputs = {"theta": theta[wanted].astype(np.float32), "seed": seeds, "temperature": temperature}
        return {name: tf.constant(values) for name, values in inputs.items()}

    def _own_rows(self):
        is_large = self._settings.task == "posterior" and len(self._grid) > _LARGE_GRID
        return 1 if is_large else _ROWS[self._settings.task]

    def _fixed_rows(self):
        """The one batch size of a model that was exported with --xla; otherwise None."""
        (spec, *_) = self._signature.structured_input_signature[1].values()
        return spec.shape[0]


def _use_one_thread():
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        # Whoever called this from a process of his own has started TensorFlow already.
        return
