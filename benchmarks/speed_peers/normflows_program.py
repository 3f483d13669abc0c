"""The Glow of normflows with the levels, steps and widths of one of our presets."""

import normflows
import torch

from higlow_tf.evaluation.speed_tasks import LEARNING_RATE

__all__ = ["normflows_tasks"]


def normflows_tasks(problem):
    """Functions by task. There is no posterior: nothing of it depends on theta."""
    torch.set_num_threads(problem.threads)
    glow = _glow(problem)
    maps = torch.from_numpy(problem.standard_maps()).movedim(-1, 1).contiguous()
    glow.log_prob(maps, None)  # starts the activation normalisation
    optimizer = torch.optim.Adam(glow.parameters(), lr=LEARNING_RATE, fused=True)

    def train():
        optimizer.zero_grad()
        loss = glow.forward_kld(maps) / problem.num_dimensions
        loss.backward()
        torch.nn.utils.clip_grad_norm_(glow.parameters(), 1.0)
        optimizer.step()
        return loss.detach().numpy()

    @torch.inference_mode()
    def log_prob():
        return glow.log_prob(maps, None).numpy()

    @torch.inference_mode()
    def sample():
        return glow.sample(problem.batch_size)[0].numpy()

    return {"train": train, "log_prob": log_prob, "sample": sample}


def _glow(problem):
    """The flow; its levels run from the coarsest to the finest."""
    config, width = problem.config, problem.width
    channels, side, levels = config["num_channels"], config["map_size"], config["num_levels"]
    bases, flows, merges = [], [], []
    for level in reversed(range(levels)):
        of_level, side_of_level = channels * 2 ** (level + 2), side // 2 ** (level + 1)
        steps = [normflows.flows.GlowBlock(of_level, width) for _ in range(config["num_steps_per_level"])]
        flows.append([*steps, normflows.flows.Squeeze()])
        leaving = of_level if level + 1 == levels else of_level // 2
        shape = (leaving, side_of_level, side_of_level)
        bases.append(normflows.distributions.DiagGaussian(shape, trainable=False))
        if level > 0:
            merges.append(normflows.flows.Merge())
    return normflows.MultiscaleFlow(bases, flows, merges, class_cond=False)
