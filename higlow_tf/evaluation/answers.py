"""What a model answers: densities, maps and posteriors, in chunks, with progress, kept by content."""

import contextlib
import warnings
from functools import partial

import numpy as np

from higlow_tf.errors import InputWarning
from higlow_tf.inference import infer, parameters_of_interest
from higlow_tf.inference.cache import AnswerCache

__all__ = ["ModelAnswers"]

_CHUNK = 256


class ModelAnswers:
    """Asks a model, or finds its earlier answer to the same question.

    Args:
        model: A model with the verbs of `ConditionalGlow`.
        cache_dir: Folder that keeps all answers; None to keep nothing.
        progress: Called as `progress(stage, done, total)`, or None.
    """

    def __init__(self, model, cache_dir=None, progress=None):
        self._model = model
        self._cache_dir = cache_dir
        self._cache = AnswerCache(cache_dir, model)
        self._progress = progress

    def log_prob(self, hi_maps, theta, stage="densities"):
        """Log-density of each log10 map, `[N, H, W]`, `[N, P]` -> `[N]`, total nats."""
        theta = np.asarray(theta)

        def density(rows):
            return np.asarray(self._model.log_prob(np.asarray(hi_maps[rows]), theta[rows]), np.float64)

        compute = partial(self._in_chunks, density, len(theta), stage)
        return self._cache.array("log_prob", [np.asarray(hi_maps), theta], compute)

    def sample(self, theta, seed, stage="generated maps"):
        """One map for each row of theta, `[M, H, W]`: those of `model.sample(theta, seed)`."""
        theta = np.asarray(theta)

        def maps(rows):
            return self._model.sample(theta[rows], seed=seed, first_row=rows.start).numpy()

        compute = partial(self._in_chunks, maps, len(theta), stage)
        return self._cache.array("samples", [theta, seed], compute)

    @property
    def parameters_of_interest(self):
        """`ParameterSpace` of the posteriors."""
        return parameters_of_interest(self._model)

    def posterior(self, hi_maps):
        """`Posterior` of each map on a grid, with the stored calibration."""
        return infer(self._model, hi_maps, progress=self._progress, cache_dir=self._cache_dir, warn_of_maps=False)

    def _in_chunks(self, compute, num_rows, stage):
        """Joins what `compute(rows)` gives for a few hundred rows at a time. This keeps memory small."""
        results = []
        for start in range(0, num_rows, _CHUNK):
            rows = slice(start, min(start + _CHUNK, num_rows))
            with _without_warnings():
                results.append(compute(rows))
            if self._progress is not None:
                self._progress(stage, rows.stop, num_rows)
        return np.concatenate(results)


@contextlib.contextmanager
def _without_warnings():
    """Silences the model's warnings of parameters outside the prior: the caller knows where its parameters come from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        yield
