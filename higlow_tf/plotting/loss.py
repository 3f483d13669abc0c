"""The course of a training run."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from higlow_tf.errors import InputError
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_loss"]

_AXIS_LABELS = {"epoch": "epoch", "wall_minutes": "wall time  [minutes]"}

# The loss of the first epochs is far higher: the frame is drawn round the rest of the run, after this share.
_SETTLED_AFTER = 0.1


def plot_loss(
    ax: Axes,
    history: Mapping[str, ArrayLike],
    *,
    against: str = "epoch",
    style: Style = STYLE,
) -> Axes:
    """Draws training and validation loss, nats per pixel of the log10 map.

    Args:
        ax: Axes to draw in.
        history: Columns of equal length: "loss", optionally "val_loss" and "steps", and the one named by `against`;
            without "epoch" the rows are counted from 1. The training loss of an epoch is left out if it has less
            than half the steps of the longest epoch: it is the mean over few maps.
        against: "epoch" or "wall_minutes".
        style: Style of the figure.

    Returns:
        `ax`. The best row is marked if there is a validation loss. The frame may leave out the first tenth of the run.

    Raises:
        InputError: If a column is missing or of another length, or no loss is finite.
    """
    if against not in _AXIS_LABELS:
        raise InputError(f'against: expected "epoch" or "wall_minutes". Received: {against!r}.')
    columns = {name: np.asarray(values, np.float64) for name, values in history.items()}
    num_rows = columns["loss"].size if "loss" in columns else 0
    if against == "epoch":
        columns.setdefault("epoch", np.arange(1.0, num_rows + 1))
    used = ["loss", against] + ["val_loss"] * ("val_loss" in columns)
    if not num_rows or any(name not in columns or columns[name].shape != (num_rows,) for name in used):
        raise InputError(f"history: expected columns {used} of one length. Received: {sorted(history)}.")
    if "steps" in columns:
        is_short = columns["steps"] < 0.5 * columns["steps"].max()
        columns["loss"] = np.where(is_short, np.nan, columns["loss"])
    losses = [columns[name] for name in used if name != against]
    if not all(np.isfinite(loss).any() for loss in losses):
        raise InputError("history: expected finite losses. Received: none.")
    x = columns[against]
    marker = "." if num_rows < 30 else ""
    with style.context():
        ax.plot(x, columns["loss"], color=style.real, marker=marker, label="training")
        if "val_loss" in columns:
            loss = columns["val_loss"]
            best = int(np.nanargmin(loss))
            ax.plot(x, loss, color=style.generated, linestyle="--", marker=marker, label="validation")
            ax.plot(x[best], loss[best], "*", color=style.generated, markersize=11, label=f"best: {loss[best]:.4f}")
        settled = np.concatenate([loss[int(_SETTLED_AFTER * num_rows) :] for loss in losses])
        settled = settled[np.isfinite(settled)]
        if len(settled) and np.ptp(settled) > 0:
            margin = 0.07 * np.ptp(settled)
            ax.set_ylim(settled.min() - margin, settled.max() + margin)
        ax.set_xlabel(_AXIS_LABELS[against])
        ax.set_ylabel("negative log-density  [nats per pixel]")
        ax.grid(alpha=0.3)
        ax.legend()
    return ax
