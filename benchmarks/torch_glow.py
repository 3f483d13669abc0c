"""The conditional Glow in plain PyTorch: the oracle for values and the peer for speed.

Written from the mathematics and the papers, on PyTorch and NumPy alone: eager, `[N, C, H, W]`, one module a step,
library convolutions, LU product formed by each step at each call, gradients by autograd. Nothing is slow on purpose and
nothing is tuned: it is what a careful reader of [1] and [2] would write.

References:
    [1] Friedman & Hassan. HIGlow. 2022. https://arxiv.org/abs/2211.12724
    [2] Kingma & Dhariwal. Glow. NeurIPS 2018. https://arxiv.org/abs/1807.03039
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["TorchGlow"]

NO_BOUND = 100.0
TAIL_WIDTH_DEX = 0.3
_LOG_2PI = math.log(2.0 * math.pi)


def _soft_clamp(raw, limit):
    return limit * torch.tanh(raw / limit)


def _same(tensor):
    return tensor


def _taps_first(kernel):
    """`[O, I, 3, 3]` of PyTorch -> `[O, 3, 3, I]` of the stacked weights, as a view."""
    return kernel.permute(0, 2, 3, 1)


class InjectorNetwork(nn.Module):
    """Perceptron from the condition `[N, P]` to shift and log-scale `[N, num_outputs, 1, 1]`."""

    def __init__(self, num_parameters, width, num_outputs, max_log_scale):
        super().__init__()
        self.hidden = nn.Linear(num_parameters, width)
        self.output = nn.Linear(width, 2 * num_outputs)
        self.max_log_scale = max_log_scale

    def forward(self, condition):
        output = self.output(torch.tanh(self.hidden(condition)))[:, :, None, None]
        shift, raw_log_scale = output.chunk(2, dim=1)
        return shift, _soft_clamp(raw_log_scale, self.max_log_scale)

    def views(self):
        yield "w1", self.hidden.weight, _same
        yield "b1", self.hidden.bias, _same
        yield "w2", self.output.weight, _same
        yield "b2", self.output.bias, _same


class CouplingNetwork(nn.Module):
    """Convolutions 3x3 - 1x1 - 3x3: a `[N, C_a, H, W]` and the condition to shift and log-scale `[N, C_b, H, W]`."""

    def __init__(self, in_channels, out_channels, width, num_parameters, config, condition_as):
        super().__init__()
        padding, max_log_scale = config["padding"], config["max_log_scale"]
        mode = {"periodic": "circular", "zero": "zeros"}[padding]
        extra = num_parameters if condition_as == "channels" else 0
        self.conv1 = nn.Conv2d(in_channels + extra, width, 3, padding=1, padding_mode=mode)
        self.conv2 = nn.Conv2d(width, width, 1)
        self.of_means = nn.Linear(width, width, bias=False) if config["use_map_mean"] else None
        self.conv3 = nn.Conv2d(width, 2 * out_channels, 3, padding=1, padding_mode=mode)
        self.condition = nn.Linear(num_parameters, width, bias=False) if condition_as == "bias" else None
        self.in_channels = in_channels
        self.max_log_scale = max_log_scale
        if extra:
            # Of the nine taps on a constant channel only the sum matters. Loading sets the central one.
            nn.init.zeros_(self.conv1.weight[:, in_channels:])

    def forward(self, a, condition):
        if self.condition is None:
            constant = condition[:, :, None, None].expand(-1, -1, *a.shape[2:])
            h = self.conv1(torch.cat([a, constant], dim=1))
        else:
            h = self.conv1(a) + self.condition(condition)[:, :, None, None]
        h = F.relu(h, inplace=True)
        g = self.conv2(h)
        if self.of_means is not None:
            g = g + self.of_means(h.mean(dim=(2, 3)))[:, :, None, None]
        shift, raw_log_scale = self.conv3(F.relu(g, inplace=True)).chunk(2, dim=1)
        return shift, _soft_clamp(raw_log_scale, self.max_log_scale)

    def views(self):
        if self.condition is None:
            yield "w1_condition", self.conv1.weight, lambda kernel: kernel[:, self.in_channels :, 1, 1]
        else:
            yield "w1_condition", self.condition.weight, _same
        yield "w1", self.conv1.weight, lambda kernel: _taps_first(kernel[:, : self.in_channels])
        yield "b1", self.conv1.bias, _same
        yield "w2", self.conv2.weight, lambda kernel: kernel[:, :, 0, 0]
        yield "b2", self.conv2.bias, _same
        if self.of_means is not None:
            yield "w2_mean", self.of_means.weight, _same
        yield "w3", self.conv3.weight, _taps_first
        yield "b3", self.conv3.bias, _same


class InvertibleConv1x1(nn.Module):
    """Multiplies the channels by A = P L (U + diag(s)) on the way to the latents."""

    def __init__(self, channels, max_log_scale):
        super().__init__()
        self.lu = nn.Parameter(torch.zeros(channels, channels))
        self.raw_log_s = nn.Parameter(torch.zeros(channels))
        self.register_buffer("permutation", torch.arange(channels))
        self.register_buffer("sign", torch.ones(channels))
        self.register_buffer("log_start", torch.zeros(channels))
        self.max_log_scale = max_log_scale

    def matrix_and_log_s(self):
        log_s = self.log_start + _soft_clamp(self.raw_log_s, self.max_log_scale)
        lower = torch.tril(self.lu, -1) + torch.eye(len(log_s), dtype=self.lu.dtype, device=self.lu.device)
        upper = torch.triu(self.lu, 1) + torch.diag(self.sign * torch.exp(log_s))
        return (lower @ upper)[self.permutation], log_s

    def inverse(self, y):
        matrix, log_s = self.matrix_and_log_s()
        return F.conv2d(y, matrix[:, :, None, None]), y.shape[2] * y.shape[3] * log_s.sum()

    def forward(self, x):
        matrix, _ = self.matrix_and_log_s()
        return F.conv2d(x, torch.linalg.inv(matrix)[:, :, None, None])

    def views(self):
        for name in ("lu", "raw_log_s", "permutation", "sign", "log_start"):
            yield name, getattr(self, name), _same


class ActNorm(nn.Module):
    """One shift and one log-scale a channel."""

    def __init__(self, channels, max_log_scale):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.raw_log_scale = nn.Parameter(torch.zeros(channels))
        self.max_log_scale = max_log_scale

    def shift_and_log_scale(self):
        log_scale = _soft_clamp(self.raw_log_scale, self.max_log_scale)
        return self.shift[:, None, None], log_scale[:, None, None]

    def inverse(self, y):
        shift, log_scale = self.shift_and_log_scale()
        return (y - shift) * torch.exp(-log_scale), -y.shape[2] * y.shape[3] * log_scale.sum()

    def forward(self, x):
        shift, log_scale = self.shift_and_log_scale()
        return x * torch.exp(log_scale) + shift

    def views(self):
        yield "shift", self.shift, _same
        yield "raw_log_scale", self.raw_log_scale, _same


def _uninject(network, y, condition):
    """Inverse of an affine map by the condition alone, and its log-determinant `[N]`."""
    shift, log_scale = network(condition)
    repeats = y[0].numel() // log_scale.shape[1]
    return (y - shift) * torch.exp(-log_scale), -repeats * log_scale.sum(dim=(1, 2, 3))


def _inject(network, x, condition):
    shift, log_scale = network(condition)
    return x * torch.exp(log_scale) + shift


def _uncouple(network, y, condition):
    """Inverse of an affine coupling, and its log-determinant `[N]`."""
    a, b = y.chunk(2, dim=1)
    shift, log_scale = network(a, condition)
    return torch.cat([a, (b - shift) * torch.exp(-log_scale)], dim=1), -log_scale.sum(dim=(1, 2, 3))


def _couple(network, x, condition):
    a, b = x.chunk(2, dim=1)
    shift, log_scale = network(a, condition)
    return torch.cat([a, b * torch.exp(log_scale) + shift], dim=1)


class Step(nn.Module):
    """Injector, (activation normalisation,) 1x1 convolution, coupling, in the order of the way to the latents."""

    def __init__(self, channels, config, width, num_parameters, condition_as):
        super().__init__()
        limit, half = config["max_log_scale"], channels // 2
        num_outputs = 1 if config["injector"] == "scalar" else channels
        self.injector_network = InjectorNetwork(num_parameters, config["injector_width"], num_outputs, limit)
        self.act_norm_weights = ActNorm(channels, limit) if config["use_act_norm"] else None
        self.lu_matrix = InvertibleConv1x1(channels, limit)
        self.coupling_network = CouplingNetwork(half, channels - half, width, num_parameters, config, condition_as)

    def inverse(self, y, condition):
        y, ildj = _uninject(self.injector_network, y, condition)
        if self.act_norm_weights is not None:
            y, act_norm_ildj = self.act_norm_weights.inverse(y)
            ildj = ildj + act_norm_ildj
        y, conv_ildj = self.lu_matrix.inverse(y)
        x, coupling_ildj = _uncouple(self.coupling_network, y, condition)
        return x, ildj + conv_ildj + coupling_ildj

    def forward(self, x, condition):
        x = self.lu_matrix(_couple(self.coupling_network, x, condition))
        if self.act_norm_weights is not None:
            x = self.act_norm_weights(x)
        return _inject(self.injector_network, x, condition)


class Level(nn.Module):
    """Squeeze, K steps, and the learned Gaussian of what leaves."""

    def __init__(self, channels, config, width, num_parameters, is_last, condition_as):
        super().__init__()
        self.steps = nn.ModuleList(
            Step(channels, config, width, num_parameters, condition_as) for _ in range(config["num_steps_per_level"])
        )
        limit, half = config["max_log_scale"], channels // 2
        self.is_last = is_last
        self.end_network = None
        if config["use_split_prior"] and is_last:
            self.end_network = InjectorNetwork(num_parameters, config["injector_width"], channels, limit)
        elif config["use_split_prior"]:
            self.end_network = CouplingNetwork(half, channels - half, width, num_parameters, config, condition_as)

    def inverse(self, y, condition):
        x, ildj = F.pixel_unshuffle(y, 2), 0.0
        for step in self.steps:
            x, step_ildj = step.inverse(x, condition)
            ildj = ildj + step_ildj
        if self.end_network is not None:
            x, end_ildj = (_uninject if self.is_last else _uncouple)(self.end_network, x, condition)
            ildj = ildj + end_ildj
        return x, ildj

    def forward(self, x, condition):
        if self.end_network is not None:
            x = (_inject if self.is_last else _couple)(self.end_network, x, condition)
        for step in reversed(self.steps):
            x = step(x, condition)
        return F.pixel_shuffle(x, 2)


class TorchGlow(nn.Module):
    """Density and emulator of maps given simulation parameters.

    Math, map -> latent:
        u = log10(map), beyond [map_lowest, map_highest] by d >= 0: by 0.3 (exp(d / 0.3) - 1) instead of d
        x = (u - map_shift) * exp(-map_log_scale)
        each level: squeeze, K steps; the second half of the channels (last level: all) leaves, with density N(0, 1)

    Args:
        config: Dict with the keys of `ConditionalGlow.get_config()`; the entries of "parameters" are dicts with low,
            high and transform.
        dtype: torch.float32 or torch.float64.
        condition_as: How the condition enters a coupling network. "bias": added after the first convolution, with fewer
            operations. "channels": as constant channels beside the input of the first convolution, the textbook way;
            under periodic padding the same function, under zero padding another one at the border.
    """

    def __init__(self, config, dtype=torch.float32, condition_as="bias"):
        super().__init__()
        parameters, num_levels, width = config["parameters"], config["num_levels"], config["width"]
        size, channels = config["map_size"], config["num_channels"]
        widths = width if isinstance(width, (list, tuple)) else [width] * num_levels
        self.parameter_ranges = [(p["low"], p["high"], p["transform"]) for p in parameters]
        self.register_buffer("map_shift", torch.zeros(channels))
        self.register_buffer("map_log_scale", torch.zeros(channels))
        self.register_buffer("map_lowest", torch.full((channels,), -NO_BOUND))
        self.register_buffer("map_highest", torch.full((channels,), NO_BOUND))
        self.levels = nn.ModuleList()
        self.latent_shapes = []
        for index in range(num_levels):
            is_last, channels, size = index + 1 == num_levels, 4 * channels, size // 2
            self.levels.append(Level(channels, config, widths[index], len(parameters), is_last, condition_as))
            channels = channels if is_last else channels // 2
            self.latent_shapes.append((channels, size, size))
        self.num_pixels = sum(math.prod(shape) for shape in self.latent_shapes)
        self.to(dtype)

    def condition(self, theta):
        """Parameters `[N, P]` -> `[N, P]`, in [-1, 1] over the prior."""
        columns = []
        for value, (low, high, transform) in zip(theta.unbind(dim=1), self.parameter_ranges, strict=True):
            if transform == "log":
                value, low, high = torch.log(value), math.log(low), math.log(high)
            columns.append(2.0 * (value - low) / (high - low) - 1.0)
        return torch.stack(columns, dim=1)

    def log_prob(self, maps, theta):
        """Log-density of the log10 maps: `[N, C, H, W]` physical, `[N, P]` -> `[N]` nats."""
        condition = self.condition(theta)
        shift, log_scale = self.map_shift[:, None, None], self.map_log_scale[:, None, None]
        log10_maps = torch.log10(maps)
        excess, sign = self.beyond_bounds(log10_maps)
        u = log10_maps + sign * (TAIL_WIDTH_DEX * torch.expm1(excess / TAIL_WIDTH_DEX) - excess)
        x = (u - shift) * torch.exp(-log_scale)
        total = (
            (excess / TAIL_WIDTH_DEX).sum(dim=(1, 2, 3))
            - maps.shape[2] * maps.shape[3] * log_scale.sum()
            - 0.5 * self.num_pixels * _LOG_2PI
        )
        for level in self.levels:
            x, ildj = level.inverse(x, condition)
            x, z = (None, x) if level.is_last else x.chunk(2, dim=1)
            total = total + ildj - 0.5 * (z * z).sum(dim=(1, 2, 3))
        return total

    def sample(self, z, theta):
        """Latents `[N, D]` (level by level, the finest first, each `[C, H, W]`) -> physical maps `[N, C, H, W]`."""
        condition = self.condition(theta)
        latents = z.split([math.prod(shape) for shape in self.latent_shapes], dim=1)
        x = None
        for level, latent, shape in reversed(list(zip(self.levels, latents, self.latent_shapes, strict=True))):
            latent = latent.reshape(-1, *shape)
            x = level(latent if x is None else torch.cat([x, latent], dim=1), condition)
        u = x * torch.exp(self.map_log_scale[:, None, None]) + self.map_shift[:, None, None]
        excess, sign = self.beyond_bounds(u)
        return 10.0 ** (u + sign * (TAIL_WIDTH_DEX * torch.log1p(excess / TAIL_WIDTH_DEX) - excess))

    def beyond_bounds(self, u):
        """How far each pixel lies beyond the bounds, and on which side (0 inside)."""
        above = torch.relu(u - self.map_highest[:, None, None])
        below = torch.relu(self.map_lowest[:, None, None] - u)
        return above + below, torch.sign(above) - torch.sign(below)

    def training_step(self, optimizer, maps, theta, clip_norm=1.0):
        """One step of maximum likelihood with clipping; returns the mean nats per pixel, detached."""
        optimizer.zero_grad()
        loss = -self.log_prob(maps, theta).mean() / self.num_pixels
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters(), clip_norm)
        optimizer.step()
        return loss.detach()

    # ---- weights by the names and shapes of the stacked layout

    def _views(self):
        """Yields (name, step or None, tensor, function from the tensor to a view of it in the stacked layout)."""
        yield "map_shift", None, self.map_shift, _same
        yield "map_log_scale", None, self.map_log_scale, _same
        yield "map_lowest", None, self.map_lowest, _same
        yield "map_highest", None, self.map_highest, _same
        for index, level in enumerate(self.levels):
            owners = [
                (k, owner, module) for k, step in enumerate(level.steps) for owner, module in step.named_children()
            ]
            if level.end_network is not None:
                owners.append((0, "end_network", level.end_network))
            for k, owner, module in owners:
                for name, tensor, view in module.views():
                    yield f"level_{index}/{owner}/{name}", k, tensor, view

    @torch.no_grad()
    def load_weights(self, weights):
        """Copies weights from a dict name -> array, such as "level_0/coupling_network/w1" `[K, width, 3, 3, C_a]`.

        Raises:
            ValueError: If the names or the shapes are not those of this model.
        """
        names = {name for name, *_ in self._views()}
        if names != set(weights):
            raise ValueError(f"Expected the weights of this model. Received: a difference of {names ^ set(weights)}.")
        for name, step, tensor, view in self._views():
            source = torch.as_tensor(np.asarray(weights[name] if step is None else weights[name][step]))
            target = view(tensor)
            if target.shape != source.shape:
                raise ValueError(f"Expected {name} of shape {tuple(target.shape)}. Received: {tuple(source.shape)}.")
            target.copy_(source)

    def gradients(self):
        """Gradients of all trainable weights after a backward pass, in the names and shapes of `load_weights`."""
        stacked = {}
        for name, _, tensor, view in self._views():
            if tensor.requires_grad:
                stacked.setdefault(name, []).append(view(tensor.grad).numpy())
        return {name: np.stack(steps) for name, steps in stacked.items()}
