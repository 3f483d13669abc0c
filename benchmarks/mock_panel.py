"""A picture of the mock suite: five cosmologies, the same initial phases, both variants of physics.

python benchmarks/mock_panel.py --out mock.png
"""

import argparse
from pathlib import Path

import numpy as np

from higlow_tf.data import mock
from higlow_tf.files import whole_path
from higlow_tf.plotting import STYLE, plot_map_panel

COSMOLOGIES = ((0.15, 0.65), (0.15, 0.95), (0.3, 0.8), (0.45, 0.65), (0.45, 0.95))
FIDUCIAL_ASTROPHYSICS = (1.0, 1.0, 1.0, 1.0)
SLAB = 2


def panel(seed=0):
    """The figure; one slab of one simulation a map."""
    theta = [(*cosmology, *FIDUCIAL_ASTROPHYSICS) for cosmology in COSMOLOGIES]
    maps = {
        variant: np.stack([mock.simulate(np.array(row), seed, variant=variant)[SLAB] for row in theta])
        for variant in mock.VARIANTS
    }
    figure, axes = STYLE.new_figure(2, len(theta), size_in=(2.0 * len(theta) + 1.2, 4.4))
    upper, lower = mock.VARIANTS
    plot_map_panel(
        axes,
        maps[upper],
        maps[lower],
        np.array(COSMOLOGIES),
        row_labels=(upper.replace("-", " "), lower),
        box_size_mpc_h=25.0,
    )
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with whole_path(arguments.out) as part:
        panel(arguments.seed).savefig(part, dpi=110, facecolor="white")


if __name__ == "__main__":
    main()
