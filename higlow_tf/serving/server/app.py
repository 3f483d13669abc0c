"""The deployment of Ray Serve: HTTP and gRPC requests in, answers out. Each replica holds all models.

TensorFlow is imported in the replicas alone: the process that starts them has no use for it.
"""

from ray import serve
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["ServedModels"]


@serve.deployment
class ServedModels:
    """One replica. Ray calls the method with the name of the RPC, with the bytes of its message.

    Args:
        folders: Name of each model -> its folder.
        limits: `Limits`.
        max_batch: Most rows of a joined call.
        num_threads: Threads of TensorFlow for one call.
        poll_seconds: How often the folders are looked at.
    """

    def __init__(self, folders, limits, max_batch, num_threads, poll_seconds):
        from higlow_tf.serving.server.model_server import ModelServer
        from higlow_tf.serving.server.rest import answer_http
        from higlow_tf.serving.server.rpc import answer_rpc
        from higlow_tf.serving.server.threads import use_threads

        use_threads(num_threads)
        self._server = ModelServer(folders, limits, max_batch=max_batch, poll_seconds=poll_seconds)
        self._answer_http, self._answer_rpc = answer_http, answer_rpc

    async def check_health(self):
        """Called by Ray from time to time, and once before the first request."""
        self._server.watch()

    async def __call__(self, request: Request):
        """An HTTP request."""

        async def read_body():
            return await _body(request, self._server.limits)

        status, body = await self._answer_http(self._server, request.method, request.url.path, read_body)
        return Response(body, status, media_type="application/json")

    async def Predict(self, request, grpc_context):
        return await self._answer_rpc(self._server, "Predict", request, grpc_context)

    async def GetModelMetadata(self, request, grpc_context):
        return await self._answer_rpc(self._server, "GetModelMetadata", request, grpc_context)

    async def GetModelStatus(self, request, grpc_context):
        return await self._answer_rpc(self._server, "GetModelStatus", request, grpc_context)

    async def Classify(self, request, grpc_context):
        """Not a signature of these models; nor have they the other methods."""
        return await self._answer_rpc(self._server, "other", request, grpc_context)

    Regress = MultiInference = HandleReloadConfigRequest = Classify


async def _body(request, limits):
    """The body of an HTTP request, read only as far as it may be long."""
    declared = request.headers.get("content-length", "0")
    limits.check_body(int(declared) if declared.isdigit() else 0)
    parts, num_bytes = [], 0
    async for part in request.stream():
        num_bytes += len(part)
        limits.check_body(num_bytes)
        parts.append(part)
    return b"".join(parts)
