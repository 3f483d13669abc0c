"""Warm-up requests: what TensorFlow Serving runs before it says that a model is ready."""

import tensorflow as tf

__all__ = ["WARMUP_FILE", "write_warmup_requests"]

# TensorFlow Serving looks for this name inside a version's folder.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"

# Field numbers of tensorflow_serving/apis: prediction_log.proto, predict.proto and model.proto. All these fields are
# strings or messages, so their encoding is a tag, a length and the bytes. A dependency would not do more.
_PREDICT_LOG, _REQUEST = 6, 1
_MODEL_SPEC, _INPUTS = 1, 2
_MODEL_NAME, _SIGNATURE_NAME = 1, 3
_MAP_KEY, _MAP_VALUE = 1, 2
_LENGTH_DELIMITED = 2


def write_warmup_requests(path, model_name, requests):
    """Writes a TFRecord file of serialised `tensorflow.serving.PredictionLog` messages.

    Args:
        path: File to write.
        model_name: Name under which the model is served.
        requests: Pairs of a signature's name and its inputs, a dict of NumPy arrays.

    References:
        [1] https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature_name, inputs in requests:
            writer.write(_prediction_log(model_name, signature_name, inputs))


def _prediction_log(model_name, signature_name, inputs):
    model_spec = _text(_MODEL_NAME, model_name) + _text(_SIGNATURE_NAME, signature_name)
    request = _field(_MODEL_SPEC, model_spec)
    for name, array in inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        request += _field(_INPUTS, _text(_MAP_KEY, name) + _field(_MAP_VALUE, tensor))
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _text(number, text):
    return _field(number, text.encode("utf-8"))


def _field(number, payload):
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(payload)) + payload


def _varint(value):
    """Protocol Buffers' integer: seven bits a byte, the lowest first, the top bit set on all but the last byte."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
