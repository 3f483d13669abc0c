"""A case for every flow of maps: a small configuration of it, and how many trainable numbers it must have."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.models import TRENF, ConditionalGlow, HIFlow

__all__ = ["CASES", "FlowCase", "randomise"]

# Large enough that no log-scale, shift or matrix is trivial.
WEIGHT_SD = 0.1
# Of what is modelled of the maps: their log10, or the maps, which then have negative pixels.
MEAN, SD = {"log10": 6.5, "identity": 0.1}, 0.4
PARAMETERS = ("Omega_m", "sigma_8", "A_SN1")  # the last is log-uniform


@dataclass(frozen=True)
class FlowCase:
    """What the contract needs to know of a flow.

    Attributes:
        kind: The class.
        config: Arguments of its constructor; maps of few pixels.
        num_trainable: Trainable numbers of such a model.
        smallest: Arguments of a model of at most 8 pixels, over whose maps the density is integrated.
    """

    kind: type
    config: dict
    num_trainable: int
    smallest: dict

    def build(self, dtype="float64", **overrides):
        """A model with random weights; no function of it is compiled by XLA."""
        model = self.kind(**{**self.config, **overrides}, dtype=dtype)
        randomise(model)
        model.compile(jit_compile=False)
        return model


def randomise(model, sd=WEIGHT_SD, seed=1):
    """Adds noise to every trainable weight (a fresh flow is trivial) and sets the scaler of the maps."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign_add(sd * rng.standard_normal(variable.shape))
    for layer in ("end_layer_weights", "pixel_curve_weights"):
        for weight in getattr(model, layer).weights if hasattr(model, layer) else ():
            # Less for the knots, which are near together and must increase.
            noise = (0.05 if "knots" in weight.name else 0.3) * sd * rng.standard_normal(weight.shape)
            weight.assign(weight.numpy() + noise)
    mean = MEAN[model.map_transform]
    for weight, value in {
        "map_shift": mean,
        "map_log_scale": np.log(SD),
        # So near to the mean that one pixel in three is in the tails.
        "map_lowest": mean - SD,
        "map_highest": mean + SD,
    }.items():
        getattr(model, weight).assign(np.full(model.num_channels, value))


GLOW = {"map_size": 4, "num_levels": 2, "num_steps_per_level": 2, "width": [4, 6], "injector_width": 4}
PAPER = {"injector": "scalar", "padding": "zero", "use_split_prior": False, "use_act_norm": True}

SMALL_TRENF = {"map_size": 4, "num_blocks": 2, "width": 3, "num_filter_knots": 5, "num_curve_knots": 5}

CASES = {
    "ConditionalGlow": FlowCase(
        ConditionalGlow, GLOW | {"use_map_mean": True}, 948 + 1924, {"map_size": 2, "num_levels": 1, "width": 4}
    ),
    "ConditionalGlow, scalar injector, one nuisance": FlowCase(
        ConditionalGlow,
        {
            **GLOW,
            **PAPER,
            "num_channels": 2,
            "parameters": PARAMETERS,
            "nuisance": ["A_SN1"],
            "num_levels": 1,
            "width": 4,
        },
        1180,
        {"map_size": 2},
    ),
    "ConditionalGlow with pixel curve and end layers": FlowCase(
        ConditionalGlow,
        GLOW | {"num_channels": 2, "use_pixel_curve": True, "use_end_layers": True},
        5548,
        {"map_size": 2, "num_levels": 1, "width": 4, "num_channels": 1},
    ),
    "HIFlow": FlowCase(HIFlow, {"map_size": 4, "num_blocks": 2, "width": 8}, 2 * 504, {"map_size": 2}),
    "HIFlow with end layers": FlowCase(
        HIFlow, {"map_size": 4, "num_blocks": 2, "width": 8, "use_end_layers": True}, 2 * 504, {"map_size": 2}
    ),
    "HIFlow, reversed, two nuisances": FlowCase(
        HIFlow,
        {
            "map_size": 2,
            "num_channels": 2,
            "parameters": PARAMETERS,
            "nuisance": ["Omega_m", "A_SN1"],
            "num_blocks": 3,
            "width": 8,
            "ordering": "reversed",
        },
        3 * 288,
        {},
    ),
    # A block: filter width (P + 1) + C F (width + 1), curve width (P + 1) + 2 C K (width + 1).
    "TRENF": FlowCase(TRENF, SMALL_TRENF, 2 * (9 + 5 * 4 + 9 + 10 * 4), {"map_size": 2, "num_blocks": 1}),
    "TRENF with end layers, one nuisance": FlowCase(
        TRENF,
        SMALL_TRENF | {"num_channels": 2, "parameters": PARAMETERS, "nuisance": ["A_SN1"], "use_end_layers": True},
        2 * (12 + 10 * 4 + 12 + 20 * 4),
        {"map_size": 2, "num_channels": 1},
    ),
}
