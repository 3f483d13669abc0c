"""The isotropic power spectrum of periodic maps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from powerbox import get_power

from higlow_tf.diagnostics.fields import as_square_maps
from higlow_tf.errors import InputError

__all__ = ["PowerSpectrum", "check_box_size", "mode_bins", "power_spectrum"]


@dataclass(frozen=True)
class PowerSpectrum:
    """Power spectra of `N` maps in `K` bins.

    Attributes:
        k_h_mpc: Bin centres `[K]`, h/Mpc, angular (2 pi over the wavelength).
        power_mpc2_h2: Power `[N, K]`, (Mpc/h)**2 times the field's unit squared.
        modes: Number of modes averaged in each bin, k and -k counted both, `[K]`.
    """

    k_h_mpc: Float[np.ndarray, " K"]
    power_mpc2_h2: Float[np.ndarray, "N K"]
    modes: Int[np.ndarray, " K"]


def power_spectrum(fields: ArrayLike, box_size_mpc_h: float) -> PowerSpectrum:
    """Measures the power spectrum of each of a stack of square periodic fields.

    Definition:
        P(k) = mean over the modes of a bin of abs(fft2(field, norm="ortho"))**2 * pixel_area
        norm="ortho" divides by the square root of the number of pixels; pixel_area = (box_size_mpc_h / n)**2

    Convention: k is angular. Bins are 2 pi / box_size_mpc_h wide and centred on its multiples 1, 2, ..., n // 2;
        `k_h_mpc` are these centres, not the mean k of the modes. k = 0 is in no bin, so that it makes no difference
        whether the mean of the field was removed. No window is divided out and no shot noise subtracted.

    Units: fields in any unit u; power in u**2 (Mpc/h)**2. White noise of variance s**2 has P(k) = s**2 * pixel_area.

    Empty bins: there are none, each bin holds at least the modes along the axes.

    What it can and cannot show: two-point structure only. Maps with the right power can still lack filaments and halos.

    Checked against: closed forms (white noise, a single plane wave). The average is powerbox's `get_power`.

    Args:
        fields: `[N, n, n]`, for example from `log10_field` or `overdensity`.
        box_size_mpc_h: Side of the box, Mpc/h.

    Returns:
        A `PowerSpectrum`.

    Raises:
        InputError: If the fields are not finite and square, have fewer than two pixels a side, or the box has no size.
    """
    fields = as_square_maps(fields, "fields")
    num_pixels = fields.shape[1]
    if num_pixels < 2:
        raise InputError(f"fields: expected at least 2 pixels a side. Received: {num_pixels}.")
    check_box_size(box_size_mpc_h)
    width = 2 * np.pi / box_size_mpc_h
    multiples = np.arange(1, num_pixels // 2 + 1)
    edges = (np.append(multiples, multiples[-1] + 1) - 0.5) * width
    power = np.stack([_averaged_power(np.asarray(field, np.float64), box_size_mpc_h, edges) for field in fields])
    modes = np.bincount(mode_bins(num_pixels).ravel())[multiples]
    return PowerSpectrum(multiples * width, power, modes)


def _averaged_power(field, box_size_mpc_h, edges):
    # One thread and so NumPy's FFT: the numbers do not depend on whether pyFFTW happens to be installed.
    spectrum = get_power(field, box_size_mpc_h, bins=edges, dimensionless=False, nthreads=1)
    # powerbox 1.0, which not every supported NumPy can have, returns a record; before, the power came first in a list.
    return spectrum[0] if isinstance(spectrum, (list, tuple)) else spectrum.power


def mode_bins(num_pixels: int) -> Int[np.ndarray, "n n"]:
    """Bin of `power_spectrum`, counted from 1, of each mode of `np.fft.fft2` of `num_pixels` a side; 0 for k = 0 only."""
    wave = np.fft.fftfreq(num_pixels, 1 / num_pixels)
    # The square root of an integer is never half an integer: no mode lies on an edge between two bins.
    return np.rint(np.hypot(wave[:, None], wave)).astype(np.int64)


def check_box_size(box_size_mpc_h: float) -> None:
    """Refuses, with an `InputError`, a box without a positive finite side."""
    if not (np.isfinite(box_size_mpc_h) and box_size_mpc_h > 0):
        raise InputError(f"box_size_mpc_h: expected a positive length in Mpc/h. Received: {box_size_mpc_h}.")
