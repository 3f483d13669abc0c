"""Maps drawn in chunks."""

import numpy as np
from toy_models import TINY_8

from higlow_tf.evaluation import chunks
from higlow_tf.models import ConditionalGlow


def test_maps_in_chunks_are_those_of_one_call(monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK", 2)
    model = ConditionalGlow(**TINY_8)
    model.compile(jit_compile=False)
    theta = np.array([[0.3, 0.8], [0.2, 0.7], [0.4, 0.9], [0.3, 0.8], [0.1, 0.6]])
    done = []
    drawn = list(
        chunks.generate_in_chunks(model, theta, seed=7, temperature=0.9, progress=lambda *counts: done.append(counts))
    )
    assert [(rows.start, rows.stop) for rows, _ in drawn] == [(0, 2), (2, 4), (4, 5)]
    assert done == [(2, 5), (4, 5), (5, 5)]
    # The last chunk has one row: float32 kernels of another batch size.
    expected = model.sample(theta, seed=7, temperature=0.9)
    np.testing.assert_allclose(np.concatenate([maps for _, maps in drawn]), expected, rtol=1e-4)
