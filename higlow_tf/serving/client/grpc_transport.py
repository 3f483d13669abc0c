"""Questions over gRPC, with the stubs of tensorflow-serving-api."""

import importlib.util

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.serving.client.errors import ServerError

__all__ = ["GrpcTransport"]

_MAX_MESSAGE_BYTES = 2**31 - 1
# What Ray says if a replica ends while it works on a request.
_LOST_REPLICA = "The actor died"


class GrpcTransport:
    """TensorFlow Serving's gRPC interface.

    Args:
        address: HOST:PORT.
        model: Name of the model.
        version: Number of the version, or None for the newest.
        timeout_s: Time after which a request is given up.

    Raises:
        InputError: If the address is none, or the extra `serve` is missing.
    """

    can_send_empty = True
    """Whether an array without elements keeps its shape."""

    def __init__(self, address, model, version, timeout_s):
        host, colon, port = address.rpartition(":")
        if not (host and colon and port.isdigit() and "/" not in address):
            raise InputError(
                "address: expected HOST:PORT (gRPC), such as localhost:8500, or a URL (REST), such as http://localhost:8501. "
                f"Received: {address!r}."
            )
        missing = [name for name in ("grpc", "tensorflow_serving") if importlib.util.find_spec(name) is None]
        if missing:
            raise InputError(
                'address: expected a URL (REST), or the packages of gRPC (pip install "higlow_tf[serve]"). '
                f"Received: {address!r} without {', '.join(missing)}."
            )
        import grpc
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

        self.address = address
        self._model, self._version, self._timeout_s = model, version, timeout_s
        sizes = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
        self._channel = grpc.insecure_channel(address, options=[(size, _MAX_MESSAGE_BYTES) for size in sizes])
        self._stub = PredictionServiceStub(self._channel)

    def predict(self, signature, inputs, output_names):
        """Outputs by name, as arrays; the answer has their names itself.

        Raises:
            ServerError: If there is no result.
        """
        import tensorflow as tf
        from tensorflow_serving.apis.predict_pb2 import PredictRequest

        request = PredictRequest()
        self._fill(request.model_spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._ask(self._stub.Predict, request)
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

    def signatures(self):
        """Signatures by name: {"inputs": {name: (dtype, shape)}, "outputs": ...}; None is an axis of any length."""
        from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap

        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        self._fill(request.model_spec)
        response = self._ask(self._stub.GetModelMetadata, request)
        described = SignatureDefMap()
        response.metadata["signature_def"].Unpack(described)
        return {
            name: {"inputs": _specs(definition.inputs), "outputs": _specs(definition.outputs)}
            for name, definition in described.signature_def.items()
        }

    def close(self):
        """Closes the channel."""
        self._channel.close()

    def _fill(self, spec):
        spec.name = self._model
        if self._version is not None:
            spec.version.value = self._version

    def _ask(self, method, request):
        import grpc

        try:
            return method(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            code, details = error.code().name, " ".join((error.details() or "").split())
            if code == "RESOURCE_EXHAUSTED" and "larger than max" in details:
                code = "INVALID_ARGUMENT"  # gRPC's code of a message that is too large, which it will be again
            if code == "INTERNAL" and details.startswith(_LOST_REPLICA):
                code = "UNAVAILABLE"  # the next request goes to another replica
            if code == "UNAVAILABLE":
                raise ServerError(f"{self.address}: expected a server. Received: {details}.", code) from error
            raise ServerError(f"{self.address}: {details} (gRPC {code})", code) from error


def _specs(tensors):
    import tensorflow as tf

    return {
        name: (
            np.dtype(tf.as_dtype(info.dtype).as_numpy_dtype),
            tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim),
        )
        for name, info in tensors.items()
    }
