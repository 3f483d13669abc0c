"""How models are served."""

from dataclasses import dataclass, field

from higlow_tf.errors import InputError
from higlow_tf.serving.server.limits import Limits

__all__ = ["ServerOptions"]


@dataclass(frozen=True)
class ServerOptions:
    """How models are served.

    Args:
        host: Address at which HTTP is answered. Ray answers gRPC at all addresses of the machine.
        port: Port of HTTP.
        grpc_port: Port of gRPC.
        metrics_port: Port of Ray's metrics for Prometheus; None for one that Ray chooses.
        min_replicas: Processes that answer, at least.
        max_replicas: At most; more than at least: Ray starts and stops them by the number of waiting requests.
        max_batch: Most rows that are joined into one call.
        threads: Threads of TensorFlow in a replica, or None for the cores of the machine shared evenly.
        timeout_s: Time after which a request is given up.
        poll_seconds: How often the folders are looked at for a newer version.
        limits: `Limits` of one request.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    grpc_port: int = 8500
    metrics_port: int | None = None
    min_replicas: int = 1
    max_replicas: int = 1
    max_batch: int = 64
    threads: int | None = None
    timeout_s: float = 600.0
    poll_seconds: float = 2.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self):
        if not 1 <= self.min_replicas <= self.max_replicas:
            raise InputError(
                f"replicas: expected one or more, the least first. Received: {self.min_replicas}:{self.max_replicas}."
            )
        if self.max_batch < 1 or not self.timeout_s > 0:
            raise InputError(
                f"Expected a positive max_batch and timeout. Received: {self.max_batch} and {self.timeout_s:g}."
            )
