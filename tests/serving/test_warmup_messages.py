"""The warm-up file, which is encoded by hand, is what TensorFlow Serving's own messages read and write."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.serving.warmup import WARMUP_FILE, write_warmup_requests

prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")


def messages(file):
    return [
        prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(file))
    ]


def test_an_exported_model_has_one_request_of_each_signature(served):
    found = messages(served.path / WARMUP_FILE)
    requests = {each.predict_log.request.model_spec.signature_name: each.predict_log.request for each in found}
    assert set(requests) == set(served.signatures)
    for signature, request in requests.items():
        assert request.model_spec.name == "tiny"
        outputs = served.signatures[signature](
            **{name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        )
        assert all(len(value) == 1 for value in outputs.values())


def test_the_encoding_is_that_of_the_real_messages(tmp_path, rng):
    inputs = {"x": rng.random((300, 3)).astype(np.float32), "n": np.arange(4)}
    write_warmup_requests(tmp_path / "file", "a name", [("first", inputs), ("second", {})])
    expected = []
    for signature, tensors in (("first", inputs), ("second", {})):
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.name, request.model_spec.signature_name = "a name", signature
        for name, value in tensors.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        expected.append(log)
    assert messages(tmp_path / "file") == expected
