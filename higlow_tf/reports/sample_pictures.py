"""A picture of maps that a model has drawn."""

import numpy as np

from higlow_tf.map_transforms import map_transform_of
from higlow_tf.plotting import STYLE, plot_maps
from higlow_tf.reports.picture import save_picture

__all__ = ["MAPS_SHOWN", "write_sample_figure"]

MAPS_SHOWN = 8
"""How many maps a figure shows at most; of several fields half as many, a row a field."""

_COLUMNS = 4


def write_sample_figure(model, maps, theta, path, overwrite=False):
    """Writes a picture of the first maps, with the parameters that one asks for above them.

    Args:
        model: The model that drew them.
        maps: `[N, H, W]` or `[N, H, W, C]`, physical units.
        theta: Their parameters `[N, P]`.
        path: The file; its suffix says which kind: .png, .pdf, .svg.
        overwrite: Whether to replace a file.

    Raises:
        InputError: If no pixel can be drawn, or the file exists.
    """
    split, asked = model.split or {}, model.parameters_of_interest
    fields = np.moveaxis(np.asarray(maps).reshape(*np.shape(maps)[:3], -1), -1, 0)
    shown = min(len(maps), MAPS_SHOWN if len(fields) == 1 else _COLUMNS)
    rows_of_field = -(-shown // _COLUMNS)
    num_columns, num_rows = -(-shown // rows_of_field), rows_of_field * len(fields)
    figure, axes = STYLE.new_figure(num_rows, num_columns, size_in=(2.1 * num_columns + 1.4, 2.5 * num_rows))
    axes = np.atleast_1d(axes).reshape(len(fields), -1)
    for ax in axes[:, shown:].flat:
        ax.remove()
    is_log10 = map_transform_of(model) == "log10"
    columns = model.parameters.columns(np.asarray(theta)[:shown], asked.names)
    for row, field in enumerate(fields):
        plot_maps(
            list(axes[row, :shown]),
            field[:shown],
            columns if row == 0 else None,
            parameter_labels=asked.labels,
            is_log10=is_log10,
            label=_label(split, row, len(fields), is_log10),
            box_size_mpc_h=split.get("box_size_mpc_h", 25.0),
        )
    save_picture(figure, path, overwrite)


def _label(split, row, num_fields, is_log10):
    name = r"$\log_{10}$ pixel" if is_log10 else "pixel"
    of_field = f" of field {row + 1}" if num_fields > 1 else ""
    units = split.get("units")
    return name + of_field + (f"  [{units}]" if units else "")
