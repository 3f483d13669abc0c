"""A Gaussian linear density field, and particles displaced from a grid to second order of perturbation theory."""

import numpy as np
import scipy.fft

from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H, linear_power
from higlow_tf.data.mock.cosmology import growth, growth_momentum, second_order_growth

__all__ = ["inverse_laplacian", "linear_modes", "particles_at_start", "wavenumbers"]


def wavenumbers(shape):
    """Wavenumbers of the modes of `scipy.fft.rfftn` of a mesh on the box, in h/Mpc.

    Args:
        shape: Cells along each axis.

    Returns:
        Three float32 arrays that broadcast to the shape of the modes.
    """
    counts = [np.fft.fftfreq(n, 1.0 / n) for n in shape[:2]] + [np.arange(shape[2] // 2 + 1)]
    fundamental_h_mpc = 2.0 * np.pi / BOX_SIZE_MPC_H
    return np.meshgrid(
        *[(count * fundamental_h_mpc).astype(np.float32) for count in counts], indexing="ij", sparse=True
    )


def inverse_laplacian(shape):
    """-1 / k**2 of the modes of a mesh, 0 at k = 0, float32. The modes of a field times this are those of its potential."""
    k_squared = sum(k**2 for k in wavenumbers(shape))
    k_squared[0, 0, 0] = np.inf
    return -1.0 / k_squared


def linear_modes(noise, theta):
    """Modes of the linear overdensity at the redshift of the maps.

    Args:
        noise: White noise of unit variance in each cell, float32 `[n, n, n]`.
        theta: Omega_m and sigma_8, `[2]`.

    Returns:
        Modes in the layout of `scipy.fft.rfftn`, complex64 `[n, n, n // 2 + 1]`; that of k = 0 is zero.
    """
    num_cells = len(noise)
    count = np.abs(np.fft.fftfreq(num_cells, 1.0 / num_cells)).astype(np.int64) ** 2
    # In a periodic box (k L / 2 pi)**2 is an integer, and few of them occur.
    index = count[:, None, None] + count[None, :, None] + count[None, None, : num_cells // 2 + 1]
    k_h_mpc = 2.0 * np.pi / BOX_SIZE_MPC_H * np.sqrt(np.arange(1, index.max() + 1))
    amplitude = np.sqrt(linear_power(k_h_mpc, theta) * (num_cells / BOX_SIZE_MPC_H) ** 3)
    amplitude = np.concatenate(([0.0], amplitude)).astype(np.float32)
    return scipy.fft.rfftn(noise) * amplitude[index]


def particles_at_start(modes, scale_factor, omega_m):
    """Places one particle a cell and moves it by the first and second order of Lagrangian perturbation theory.

    Math:
        x = q + D * psi1 + D2 * psi2,  psi1 = -grad(phi1),  psi2 = grad(phi2)
        laplacian(phi1) = delta,  laplacian(phi2) = sum over i < j of phi1_ii * phi1_jj - phi1_ij**2

    Args:
        modes: From `linear_modes`, of a mesh of n cells a side.
        scale_factor: The scale factor at which the particles start.
        omega_m: Matter density today.

    Returns:
        Positions in Mpc/h, in [0, box), and momenta a**2 dx/dt (t in 1/H_0), float32 `[3, n**3]`.

    References:
        [1] Scoccimarro. MNRAS 299, 1097, 1998. https://arxiv.org/abs/astro-ph/9711187
    """
    num_cells = len(modes)
    shape = (num_cells,) * 3
    wavevector, potential_of = wavenumbers(shape), inverse_laplacian(shape)
    potential = modes * potential_of
    second_potential = scipy.fft.rfftn(_second_order_source(potential, wavevector, shape)) * potential_of
    d1, p1 = growth(scale_factor, omega_m), growth_momentum(scale_factor, omega_m)
    d2, p2 = second_order_growth(scale_factor, omega_m)
    centre = ((np.arange(num_cells) + 0.5) * BOX_SIZE_MPC_H / num_cells).astype(np.float32)
    positions, momenta = np.empty((3, *shape), np.float32), np.empty((3, *shape), np.float32)
    for axis, k in enumerate(wavevector):
        first = scipy.fft.irfftn(-1j * k * potential, s=shape)
        second = scipy.fft.irfftn(1j * k * second_potential, s=shape)
        along_axis = np.moveaxis(centre[:, None, None], 0, axis)
        positions[axis] = (along_axis + np.float32(d1) * first + np.float32(d2) * second) % np.float32(BOX_SIZE_MPC_H)
        momenta[axis] = np.float32(p1) * first + np.float32(p2) * second
    return positions.reshape(3, -1), momenta.reshape(3, -1)


def _second_order_source(potential, wavevector, shape):
    def derivative(i, j):
        return scipy.fft.irfftn(-(wavevector[i] * wavevector[j]) * potential, s=shape)

    xx, yy, zz = (derivative(i, i) for i in range(3))
    source = xx * yy + xx * zz + yy * zz
    for i, j in ((0, 1), (0, 2), (1, 2)):
        source -= derivative(i, j) ** 2
    return source
