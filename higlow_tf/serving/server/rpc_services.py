"""The gRPC methods of TensorFlow Serving as Ray's proxy knows them: names, and bytes in.

The stubs of tensorflow-serving-api would read each message in the proxy already. That would import TensorFlow there, read
every tensor twice, and answer bytes that are no message with an error of Python. So the replica reads the messages.
"""

import grpc

__all__ = ["SERVICERS", "add_model_service", "add_prediction_service"]

SERVICERS = (f"{__name__}.add_prediction_service", f"{__name__}.add_model_service")
"""Functions for Ray's option `grpc_servicer_functions`."""


def add_prediction_service(servicer, server):
    """Adds the methods of PredictionService to a gRPC server; they give `servicer` the bytes of the request."""
    _add(servicer, server, "PredictionService", "Predict GetModelMetadata Classify Regress MultiInference")


def add_model_service(servicer, server):
    """Adds the methods of ModelService to a gRPC server; they give `servicer` the bytes of the request."""
    _add(servicer, server, "ModelService", "GetModelStatus HandleReloadConfigRequest")


def _add(servicer, server, service, methods):
    handlers = {method: grpc.unary_unary_rpc_method_handler(getattr(servicer, method)) for method in methods.split()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers),))
