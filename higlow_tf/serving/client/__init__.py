"""A client of a served model: TensorFlow Serving's, or that of `higlow serve`; over gRPC or REST."""

from higlow_tf.serving.client.client import Client
from higlow_tf.serving.client.errors import ServerError
from higlow_tf.serving.client.served_posterior import ServedPosterior

__all__ = ["Client", "ServedPosterior", "ServerError"]
