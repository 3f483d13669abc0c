"""One version of a SavedModel in memory: its signatures as functions of NumPy arrays."""

from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from higlow_tf.serving.server.batcher import Call
from higlow_tf.serving.server.refusals import Code, Refusal

__all__ = ["DEFAULT_SIGNATURE", "LoadedVersion"]

DEFAULT_SIGNATURE = "serving_default"
_WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")


class LoadedVersion:
    """A SavedModel that answers.

    Args:
        folder: The version's folder; its name is the number of the version.

    Attributes:
        version: Number of the version.
        signature_defs: `SignatureDef` messages by name, as TensorFlow Serving's metadata shows them.

    Raises:
        Exception: Whatever TensorFlow raises of a folder that is no SavedModel.
    """

    def __init__(self, folder):
        folder = Path(folder)
        self.version = int(folder.name)
        self._loaded = tf.saved_model.load(str(folder))  # keeps the variables alive
        self._functions = {name: partial(_call, function) for name, function in self._loaded.signatures.items()}
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        graph = next(graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags)
        self.signature_defs = {
            name: definition for name, definition in graph.signature_def.items() if name in self._functions
        }
        self._input_specs = {name: _specs(definition.inputs) for name, definition in self.signature_defs.items()}
        self._warm_up(folder / _WARMUP_FILE)

    def input_specs(self, signature):
        """Name -> (NumPy dtype, shape with None for an axis of any length) of the inputs of a signature.

        Raises:
            Refusal: If there is no such signature.
        """
        if signature not in self._functions:
            names = ", ".join(sorted(self._functions))
            raise Refusal(Code.INVALID_ARGUMENT, f"Expected a signature among {names}. Received: {signature!r:.80}.")
        return self._input_specs[signature]

    def call(self, signature, inputs):
        """A `Call` of a signature with inputs that have its names and dtypes."""
        specs = self.input_specs(signature)
        free = {
            name: tuple(axis for axis, size in enumerate(shape) if size is None) for name, (_, shape) in specs.items()
        }
        is_batch = all(axes[:1] == (0,) for axes in free.values())
        return Call(self._functions[signature], inputs, free if is_batch else None)

    def _warm_up(self, file):
        """Makes the model's own warm-up requests, so that the first client waits no longer than others."""
        if not file.exists():
            return
        from tensorflow_serving.apis import prediction_log_pb2

        for record in tf.data.TFRecordDataset(str(file)):
            request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            self._functions[request.model_spec.signature_name or DEFAULT_SIGNATURE](inputs)


def _specs(tensors):
    return {
        name: (
            np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype),
            tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim),
        )
        for name, info in tensors.items()
    }


def _call(function, inputs):
    outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}
