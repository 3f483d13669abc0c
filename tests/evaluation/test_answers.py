"""Maps drawn in chunks."""

import numpy as np
from toy_models import TINY_8

from higlow_tf.evaluation import answers
from higlow_tf.models import ConditionalGlow


def test_maps_in_chunks_are_those_of_one_call(monkeypatch):
    monkeypatch.setattr(answers, "_CHUNK", 2)
    model = ConditionalGlow(**TINY_8)
    model.compile(jit_compile=False)
    theta = np.array([[0.3, 0.8], [0.2, 0.7], [0.4, 0.9], [0.3, 0.8], [0.1, 0.6]])
    done = []
    drawn = answers.ModelAnswers(model, progress=lambda *counts: done.append(counts)).sample(
        theta, seed=7, stage="maps"
    )
    assert done == [("maps", 2, 5), ("maps", 4, 5), ("maps", 5, 5)]
    # The last chunk has one row: float32 kernels of another batch size.
    np.testing.assert_allclose(drawn, model.sample(theta, seed=7), rtol=1e-4)
