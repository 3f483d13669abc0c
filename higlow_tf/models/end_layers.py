"""The last bijectors of a flow before the units of the map: band powers, filter and pixel curve."""

from higlow_tf.bijectors import BandPowers, ConditionalChain, HartleyTransform, IsotropicFilter, MonotoneCurve

__all__ = ["end_layers_bijector"]


def end_layers_bijector(weights):
    """Standardised map as the flow draws it -> standardised map with the statistics of training maps.

    What the likelihood hardly sees, these statistics do: P(k), the distribution of pixels, and how much a map's mean and power
    differ from those of other maps at the same parameters. `fit_end_layers` sets them after training.

    Args:
        weights: A built `EndLayerWeights`.

    Returns:
        `ConditionalChain`, a bijection with its log-determinant.
    """
    in_waves = [BandPowers(weights.bands, weights.transport), IsotropicFilter(weights.transfer)]
    return ConditionalChain(
        [
            HartleyTransform(name="to_waves"),
            *in_waves,
            HartleyTransform(name="to_pixels"),
            MonotoneCurve(weights.knots),
        ],
        name="end_layers",
    )
