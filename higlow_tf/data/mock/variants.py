"""The two physics of the mock suite, and their constants."""

from dataclasses import dataclass

from higlow_tf.data.parameters import nearest_name
from higlow_tf.errors import InputError

__all__ = ["VARIANTS", "Variant", "get_variant"]


@dataclass(frozen=True)
class Variant:
    """Constants of one physics. All were set by eye, to give maps of realistic contrast; none was fitted.

    Args:
        name: Name in the command line.
        suite: Name in the file names.
        number: Part of the seeds of its files, so that simulations of two variants share no initial conditions there.
        photoionization_rate_per_s: Gamma of the UV background at redshift 6.
        temperature_kelvin: Gas temperature at mean density.
        temperature_slope: Exponent of the temperature with density.
        feedback_strength: How much gas is missing from dense cells.
        feedback_overdensity: Density, in units of the mean, from which gas is missing.
        smoothing_mpc_h: Gaussian smoothing of the gas against the dark matter (standard deviation).
        bubble_fraction: Part of the UV background that comes from local sources; 0 is a uniform background.
        bubble_radius_mpc_h: Attenuation length of the light of local sources.
        has_molecular_hydrogen: Whether hydrogen turns molecular at high pressure and is lost to HI.
        halo_hi_fraction: HI mass of a halo of 1e10 Msun/h, in units of its baryons, before the low-mass cut-off.
        halo_min_mass_msun_h: Lightest halo with HI.
        halo_mass_slope: Exponent of the HI mass with the halo mass.
        halo_scatter_dex: Log-normal scatter of the HI mass of a halo.
    """

    name: str
    suite: str
    number: int
    photoionization_rate_per_s: float
    temperature_kelvin: float
    temperature_slope: float
    feedback_strength: float
    feedback_overdensity: float
    smoothing_mpc_h: float
    bubble_fraction: float
    bubble_radius_mpc_h: float
    has_molecular_hydrogen: bool
    halo_hi_fraction: float
    halo_min_mass_msun_h: float
    halo_mass_slope: float
    halo_scatter_dex: float


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            name="uniform-background",
            suite="MockUniformUV",
            number=0,
            photoionization_rate_per_s=2.5e-13,
            temperature_kelvin=1.0e4,
            temperature_slope=0.30,
            feedback_strength=0.25,
            feedback_overdensity=60.0,
            smoothing_mpc_h=0.08,
            bubble_fraction=0.0,
            bubble_radius_mpc_h=1.5,
            has_molecular_hydrogen=False,
            halo_hi_fraction=0.025,
            halo_min_mass_msun_h=1.2e10,
            halo_mass_slope=1.0,
            halo_scatter_dex=0.3,
        ),
        Variant(
            name="bubbles",
            suite="MockBubbles",
            number=1,
            photoionization_rate_per_s=1.5e-13,
            temperature_kelvin=1.2e4,
            temperature_slope=0.45,
            feedback_strength=0.80,
            feedback_overdensity=25.0,
            smoothing_mpc_h=0.12,
            bubble_fraction=0.35,
            bubble_radius_mpc_h=1.5,
            has_molecular_hydrogen=True,
            halo_hi_fraction=0.012,
            halo_min_mass_msun_h=7e9,
            halo_mass_slope=0.7,
            halo_scatter_dex=0.5,
        ),
    )
}


def get_variant(name):
    """The variant of this name; raises `InputError` if there is none."""
    if name not in VARIANTS:
        raise InputError(
            f"Expected variant to be one of {list(VARIANTS)} (did you mean {nearest_name(name, VARIANTS)!r}?). "
            f"Received: {name!r}."
        )
    return VARIANTS[name]
