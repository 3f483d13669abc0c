"""Architectures by name. Data, not code: each is the keyword arguments of `ConditionalGlow`, `HIFlow` or `TRENF`."""

import difflib

from higlow_tf.errors import InputError

__all__ = ["HIFLOW_PRESETS", "POSTERIOR_RECIPE", "PRESETS", "RECIPES", "TRENF_PRESETS", "preset"]

PRESETS = {
    # The paper's text (arXiv 2211.12724): 64x64, 6 blocks of 20 steps, width 16, an injector with one number a map,
    # zero padding, base N(0, I). Where the text is silent: the coupling network is 3x3 - 1x1 - 3x3, the injector's
    # perceptron has 16 hidden units, and the last block has no split (its 128 latents of one pixel all leave).
    "paper": {
        "map_size": 64,
        "num_levels": 6,
        "num_steps_per_level": 20,
        "width": 16,
        "injector": "scalar",
        "padding": "zero",
        "use_split_prior": False,
        "use_map_mean": False,
    },
    # For a GPU: deeper and wider than `compact`, with everything that `compact` was measured to gain from.
    "higlow": {
        "map_size": 64,
        "num_levels": 5,
        "num_steps_per_level": 16,
        "width": 128,
        "injector": "channel",
        "padding": "periodic",
        "use_split_prior": True,
        "use_map_mean": True,
    },
    # For two CPU cores and minutes.
    "compact": {
        "map_size": 64,
        "num_levels": 4,
        "num_steps_per_level": 8,
        "width": 32,
        "injector": "channel",
        "padding": "periodic",
        "use_split_prior": True,
        "use_map_mean": True,
    },
    # For tests.
    "tiny": {
        "map_size": 16,
        "num_levels": 2,
        "num_steps_per_level": 2,
        "width": 8,
        "injector": "channel",
        "padding": "periodic",
        "use_split_prior": True,
        "use_map_mean": True,
    },
}

# Of `HIFlow`: five blocks, the MAF(5) of arXiv 1705.07057. A block has 3 D weights a hidden unit, D = 4096 for 64x64 maps:
# 256 units keep five blocks at 16 million.
HIFLOW_PRESETS = {
    "hiflow16": {"map_size": 16, "num_blocks": 5, "width": 512},
    "hiflow32": {"map_size": 32, "num_blocks": 5, "width": 512},
    "hiflow64": {"map_size": 64, "num_blocks": 5, "width": 256},
}

# Of `TRENF`. Each filter and each slope is within a factor e of one: six of them reach from 1/400 to 400, which the square root
# of the power of a map of 64 pixels a side needs.
TRENF_PRESETS = {
    "trenf": {"map_size": 64, "num_blocks": 6, "width": 32, "num_filter_knots": 16, "num_curve_knots": 16},
}

# What the training of a preset sets otherwise than the defaults of `TrainingConfig`. A map of 4096 pixels is 4096 examples
# to a convolution: many steps of few maps learn faster, and eight maps stay in the cache of a CPU core.
# HIFlow has no convolution and takes the defaults: batches of 16 or 32 and half or three times the rate were worse.
RECIPES = {
    "compact": {"batch_size": 8, "learning_rate": 4e-3},
    "tiny": {"batch_size": 8, "learning_rate": 4e-3},
}


# What the second stage sets otherwise: a map goes through the flow with each of its candidates.
POSTERIOR_RECIPE = {
    "batch_size": 4,
    "learning_rate": 8e-4,
    "warmup_steps": 200,
    "posterior_weight": 100.0,
    "num_candidates": 8,
}


def preset(name, presets=None):
    """Keyword arguments of a preset.

    Args:
        name: Its name.
        presets: `PRESETS`, `HIFLOW_PRESETS` or `TRENF_PRESETS`; None for all.

    Raises:
        InputError: If there is no preset of that name.
    """
    presets = PRESETS | HIFLOW_PRESETS | TRENF_PRESETS if presets is None else presets
    if name not in presets:
        nearest = difflib.get_close_matches(str(name), presets, n=1)
        hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
        raise InputError(f"Expected one of the presets {', '.join(presets)}{hint}. Received: {name!r}.")
    return dict(presets[name])
