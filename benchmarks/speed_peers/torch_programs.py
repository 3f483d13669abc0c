"""The plain PyTorch program of the same flow, as it is and with its steps compiled."""

import torch
from torch_glow import TorchGlow

from higlow_tf.evaluation.speed_tasks import LEARNING_RATE

__all__ = ["compiled_torch_tasks", "torch_peer", "torch_tasks"]


def torch_peer(problem):
    """`TorchGlow` with the configuration and, if given, the weights of our model."""
    torch.set_num_threads(problem.threads)
    peer = TorchGlow(problem.config)
    if problem.weights is not None:
        peer.load_weights(problem.weights)
    return peer


def torch_tasks(problem):
    """Functions by task, without arguments; each waits for its result. `decode` draws maps of the problem's noise."""
    return _tasks(torch_peer(problem), problem)


def compiled_torch_tasks(problem):
    """The same with each step compiled by `torch.compile`.

    Step by step, as PyTorch advises for a model that repeats a block: all steps of a level share one compiled program. The whole
    flow as one program, 120 steps one after the other, compiles for many minutes.
    """
    import torch._dynamo

    # One for each level, direction and mode of gradients.
    torch._dynamo.config.recompile_limit = 64
    peer = torch_peer(problem)
    for level in peer.levels:
        for step in level.steps:
            step.inverse = torch.compile(step.inverse, dynamic=False)
            step.forward = torch.compile(step.forward, dynamic=False)
    return _tasks(peer, problem)


def _tasks(peer, problem):
    maps = torch.from_numpy(problem.maps()).movedim(-1, 1).contiguous()
    theta, noise, points = (torch.from_numpy(array) for array in (problem.theta(), problem.noise(), problem.points()))
    # Seven times quicker than PyTorch's default loop over some 1400 small tensors.
    optimizer = torch.optim.Adam(peer.parameters(), lr=LEARNING_RATE, fused=True)

    @torch.inference_mode()
    def log_prob():
        return peer.log_prob(maps, theta).numpy()

    @torch.inference_mode()
    def decode(z=noise):
        return peer.sample(z, theta).movedim(1, -1).numpy()

    @torch.inference_mode()
    def posterior():
        parts = points.split(problem.batch_size)
        likelihoods = [peer.log_prob(maps[:1].expand(len(part), -1, -1, -1), part) for part in parts]
        return (torch.softmax(torch.cat(likelihoods), dim=0) @ points).numpy()

    return {
        "train": lambda: peer.training_step(optimizer, maps, theta).numpy(),
        "log_prob": log_prob,
        "sample": lambda: decode(torch.randn_like(noise)),
        "posterior": posterior,
        "decode": decode,
    }
