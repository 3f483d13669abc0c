"""A server that says what a test wants, in TensorFlow Serving's REST."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

__all__ = ["MadeUpServer"]

F, B = "DT_FLOAT", "DT_BOOL"
SIGNATURES = {
    "sample": (
        {"theta": (F, -1, 2), "seed": ("DT_INT64", -1, 2), "temperature": (F, -1)},
        {"hi_map": (F, -1, 4, 4), "inside_prior": (B, -1)},
    ),
    "log_prob": ({"hi_map": (F, -1, 4, 4), "theta": (F, -1, 2)}, {"log_prob": (F, -1)}),
    "posterior": (
        {"hi_map": (F, -1, 4, 4), "theta_grid": (F, -1, -1, 2)},
        {"posterior_mean": (F, -1, 2), "posterior_sd": (F, -1, 2), "log_prob": (F, -1, -1), "typicality": (F, -1)},
    ),
}


def described():
    def tensors(specs):
        return {
            name: {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(size)} for size in shape]}}
            for name, (dtype, *shape) in specs.items()
        }

    definitions = {name: {"inputs": tensors(i), "outputs": tensors(o)} for name, (i, o) in SIGNATURES.items()}
    return {"metadata": {"signature_def": {"signature_def": definitions}}}


def answers(request):
    """What a made-up model says: maps are the number of their row, a density is the sum of theta."""
    inputs = {name: np.array(value) for name, value in request["inputs"].items()}
    if request["signature_name"] == "sample":
        rows, inside = inputs["seed"][:, 1], inputs["theta"][:, 0] < 0.5
        return {
            "hi_map": np.broadcast_to(rows[:, None, None], (len(rows), 4, 4)).tolist(),
            "inside_prior": inside.tolist(),
        }
    if request["signature_name"] == "log_prob":
        return inputs["theta"].sum(axis=1).tolist()
    first = inputs["hi_map"][:, 0, 0]
    of_points = inputs["theta_grid"].sum(axis=-1)
    return {
        "posterior_mean": inputs["theta_grid"].mean(axis=1).tolist(),
        "posterior_sd": inputs["theta_grid"].std(axis=1).tolist(),
        "log_prob": of_points.tolist(),
        "typicality": first.tolist(),
    }


class MadeUpServer(ThreadingHTTPServer):
    """Says the next of `failures` first, (status, body or None for a broken connection); then answers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.failures, self.bodies = [], []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply(200, described())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        if not self.server.failures:
            self.reply(200, {"outputs": answers(body)})
            return
        status, content = self.server.failures.pop(0)
        if status is None:
            self.close_connection = True
        else:
            self.reply(status, content)

    def reply(self, status, content):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
