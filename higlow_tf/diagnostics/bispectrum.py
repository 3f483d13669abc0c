"""Equilateral and squeezed bispectra of periodic maps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.fields import as_square_maps
from higlow_tf.diagnostics.power_spectrum import check_box_size, mode_bins
from higlow_tf.diagnostics.summaries import Summary
from higlow_tf.errors import InputError

__all__ = ["Bispectrum", "bispectrum"]

_MIN_PIXELS = 5


@dataclass(frozen=True)
class Bispectrum:
    """Two configurations of the bispectrum of each map, in the same bins of k.

    Attributes:
        equilateral: B(k, k, k).
        squeezed: B(k_1, k, k), with k_1 in the lowest bin.
    """

    equilateral: Summary
    squeezed: Summary


def bispectrum(fields: ArrayLike, box_size_mpc_h: float) -> Bispectrum:
    """Measures the bispectrum of each of a stack of square periodic fields, averaged over the triangles of its bins.

    Definition:
        B(k_1, k_2, k_3) = area**2 * sum(d(q_1) d(q_2) d(q_3)) / (number of triangles)
        over all q_1 + q_2 + q_3 = 0 with q_i in bin i; d = fft2(field) / n**2, area = box_size_mpc_h**2
        The sum is the mean over the pixels of D_1 D_2 D_3, where D_i is the field with the modes of bin i only, and the
        number of triangles the same for d = 1 [1].

    Convention: bins as those of `power_spectrum`: 2 pi / box_size_mpc_h wide, centred on its multiples. Triangles are
        ordered: (q_1, q_2, q_3) and (q_2, q_1, q_3) count both. k = 0 is in no bin, so that it makes no difference
        whether the mean of the field was removed. No shot noise is subtracted.
        Aliasing: the mean over pixels also counts q_1 + q_2 + q_3 = a multiple of n modes. Only bins whose upper edge
        is below a third of n modes are measured (20 bins of 64 pixels). There is no such sum in them.

    Units: fields in any unit u; bispectrum in u**3 (Mpc/h)**4. Independent pixels with the third cumulant c have
        B = c * pixel_area**2 in every bin.

    Empty bins: there are none.

    What it can and cannot show: the lowest order at which a map differs from a Gaussian field, and only two shapes of
        triangles. In a single map it is mostly noise.

    Checked against: the sum over all triangles of a small grid, independent skewed pixels, zero for Gaussian fields, and
        the leading order 2 f (P_1 P_2 + P_2 P_3 + P_3 P_1) of a Gaussian field plus f times its square.

    Args:
        fields: `[N, n, n]`, for example from `log10_field`.
        box_size_mpc_h: Side of the box, Mpc/h.

    Returns:
        A `Bispectrum`.

    Raises:
        InputError: If the fields are not finite and square, have fewer than five pixels a side, or the box has no size.

    References:
        [1] Watkinson et al. A fast estimator for the bispectrum and beyond. MNRAS 2017. https://arxiv.org/abs/1705.06284
    """
    fields = as_square_maps(fields, "fields")
    num_pixels = fields.shape[1]
    if num_pixels < _MIN_PIXELS:
        raise InputError(f"fields: expected at least {_MIN_PIXELS} pixels a side. Received: {num_pixels}.")
    check_box_size(box_size_mpc_h)
    multiples = np.arange(1, num_pixels // 2)
    multiples = multiples[3 * (multiples + 0.5) < num_pixels]
    in_bin = mode_bins(num_pixels)[:, : num_pixels // 2 + 1] == multiples[:, None, None]  # the half plane of rfft2
    num_triangles = _sums_over_triangles(np.ones(in_bin.shape[1:]), in_bin)
    sums = np.stack(
        [_sums_over_triangles(np.fft.rfft2(field.astype(np.float64), norm="forward"), in_bin) for field in fields]
    )
    values = sums / num_triangles * box_size_mpc_h**4
    k_h_mpc = multiples * 2 * np.pi / box_size_mpc_h

    def summary(name: str, label: str, values: np.ndarray) -> Summary:
        return Summary(name, label, k_h_mpc, "k (h/Mpc)", "bispectrum ((Mpc/h)^4)", values)

    return Bispectrum(
        summary("bispectrum_equilateral", "Equilateral bispectrum B(k, k, k)", values[:, 0]),
        summary("bispectrum_squeezed", f"Squeezed bispectrum B({k_h_mpc[0]:.2f} h/Mpc, k, k)", values[:, 1]),
    )


def _sums_over_triangles(modes: np.ndarray, in_bin: np.ndarray) -> Float[np.ndarray, "2 K"]:
    """Sums of the products of modes over the equilateral and the squeezed triangles of each bin."""
    num_pixels = modes.shape[0]
    filtered = np.fft.irfft2(np.where(in_bin, modes, 0), s=(num_pixels, num_pixels), norm="forward")
    squares = filtered**2
    return np.stack([np.mean(squares * filtered, axis=(1, 2)), np.mean(squares * filtered[0], axis=(1, 2))])
