"""The plain PyTorch program of the same flow on the device that JAX has, eager and with its steps compiled."""

import numpy as np
import torch

from benchmarks.gpu_step.folder import LEARNING_RATE
from benchmarks.torch_glow import TorchGlow
from higlow_tf.errors import InputError

__all__ = ["torch_task"]

_DEVICES = {"gpu": "cuda", "cuda": "cuda", "rocm": "cuda", "cpu": "cpu"}


def torch_task(name, program, problem, platform):
    """A function without arguments that begins one call of a task and returns its result, and one that waits.

    Everything is in float32: TensorFloat-32 is off, as in our programs.

    Args:
        name: "torch" or "torch.compile".
        program: `Program`: its task.
        problem: `Problem`, with weights.
        platform: What JAX calls its device.

    Raises:
        InputError: If PyTorch has no such device.
    """
    device = _DEVICES.get(platform)
    if device is None or (device == "cuda" and not torch.cuda.is_available()):
        raise InputError(
            f"Expected a PyTorch for the device of JAX, {platform}. Received: PyTorch {torch.__version__}."
        )
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # shapes never change: the quickest convolution of several
    peer = TorchGlow(problem.config)
    peer.load_weights(problem.weights)
    peer.to(device)
    if name == "torch.compile":
        _compile_steps(peer)
    maps = torch.from_numpy(np.ascontiguousarray(np.moveaxis(problem.maps(), -1, 1))).to(device)
    theta = torch.from_numpy(problem.theta()).to(device)

    def wait(result):
        if device == "cuda":
            torch.cuda.synchronize()
        return result.cpu().numpy()

    return _call(peer, program.task, maps, theta), wait


def _call(peer, task, maps, theta):
    if task == "log_prob":

        @torch.inference_mode()
        def log_prob():
            return peer.log_prob(maps, theta)

        return log_prob
    optimizer = torch.optim.Adam(peer.parameters(), lr=LEARNING_RATE, fused=True)
    return lambda: peer.training_step(optimizer, maps, theta)


def _compile_steps(peer):
    """Step by step, as PyTorch advises for a model that repeats a block: the steps of a level share one compiled program."""
    import torch._dynamo

    torch._dynamo.reset()
    # One for each level and mode of gradients.
    torch._dynamo.config.recompile_limit = 64
    for level in peer.levels:
        for step in level.steps:
            step.inverse = torch.compile(step.inverse, dynamic=False)
