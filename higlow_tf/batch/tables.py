"""Rows of answers as Arrow tables: which columns a task has, with their units and where each row comes from."""

import json

import numpy as np
import pyarrow as pa

from higlow_tf.batch.map_sources import MAP_COLUMN

__all__ = ["ATYPICAL_BELOW", "counts_of", "table_of", "with_counts"]

ATYPICAL_BELOW = 0.01
"""P-values of `typicality` below this are counted as maps unlike the training maps."""

_UNITS = {
    MAP_COLUMN: "as the training maps; see the model card",
    "typicality": "p-value; small if the map is unlike the training maps",
    "covariance": "products of the units of the parameters, in the order of the model",
}


def table_of(model, settings, answer, *, file, index_in_file, theta, rows, package_version):
    """The rows of a part.

    Args:
        model: `ServedModel`.
        settings: `TaskSettings`.
        answer: What `LoadedModel` gives.
        file: Path of the file that the rows come from.
        index_in_file: Row of it, `[N]`.
        theta: `[N, P]`, or None for a posterior.
        rows: Numbers of the rows in the job, `[N]`, of `sample`.
        package_version: Version of this package.

    Returns:
        `pyarrow.Table`. A column that the model does not answer is null.
    """
    num_rows = len(index_in_file)
    columns = {"file": _repeated(file, num_rows), "index_in_file": pa.array(index_in_file, pa.int64())}
    if theta is not None:
        columns |= {name: pa.array(theta[:, i], pa.float64()) for i, name in enumerate(model.parameters.names)}
    columns |= _ANSWERS[settings.task](model, settings, answer)
    columns["inside_prior"] = _or_null(answer, "inside_prior", num_rows, pa.bool_())
    is_drawn = settings.task == "sample"
    columns |= {
        "row": pa.array(rows, pa.int64()) if is_drawn else pa.nulls(num_rows, pa.int64()),
        "seed": pa.array(np.full(num_rows, settings.seed) if is_drawn else [None] * num_rows, pa.int64()),
        "model_hash": _repeated(model.content_hash, num_rows),
        "higlow_tf_version": _repeated(package_version, num_rows),
    }
    density = model.log_prob_units
    on_grid = f"{density.split(',')[0]}, raw, at the points of theta_grid.npy"
    units = _UNITS | {"log_prob": density, "log_prob_grid": on_grid}
    fields = [
        pa.field(name, column.type, metadata={"units": units[name]} if name in units else None)
        for name, column in columns.items()
    ]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def counts_of(settings, table):
    """What a part says of its rows, JSON-compatible: rows, nan_rows, outside_prior and atypical (None if unknown)."""
    value = {"log_prob": "log_prob", "posterior": None, "sample": MAP_COLUMN}[settings.task]
    name = value or next(name for name in table.column_names if name.endswith("_mean"))
    column = table[name].combine_chunks()
    numbers = (column.storage.flatten() if name == MAP_COLUMN else column).to_numpy(zero_copy_only=False)
    is_nan = ~np.isfinite(numbers.reshape(len(table), -1)).all(axis=1)
    inside = _known(table["inside_prior"])
    typicality = _known(table["typicality"]) if "typicality" in table.column_names else None
    return {
        "rows": len(table),
        "nan_rows": int(is_nan.sum()),
        "outside_prior": None if inside is None else int(np.sum(~inside)),
        "atypical": None if typicality is None else int(np.sum(typicality < ATYPICAL_BELOW)),
    }


def with_counts(table, counts):
    """The table with its counts in the metadata of the file, where a later call finds them without reading rows."""
    return table.replace_schema_metadata({"higlow": json.dumps(counts)})


def _of_log_prob(model, settings, answer):
    return {"log_prob": pa.array(answer["log_prob"], pa.float32())}


def _of_posterior(model, settings, answer):
    mean, sd = answer["posterior_mean"], answer["posterior_sd"]
    num_rows, names = len(mean), model.parameters.names
    columns = {f"{name}_mean": pa.array(mean[:, i], pa.float32()) for i, name in enumerate(names)}
    columns |= {f"{name}_sd": pa.array(sd[:, i], pa.float32()) for i, name in enumerate(names)}
    columns["covariance"] = _covariance(answer)
    columns["tempering"] = pa.array(np.full(num_rows, model.tempering), pa.float64())
    typicality = answer.get("typicality")
    # NaN is the served model's word for a map that it cannot compare.
    columns["typicality"] = (
        pa.nulls(num_rows, pa.float32()) if typicality is None else pa.array(typicality, from_pandas=True)
    )
    if settings.with_grid:
        columns["log_prob_grid"] = _tensor_column(answer["log_prob"])
    return columns


def _of_sample(model, settings, answer):
    return {MAP_COLUMN: _tensor_column(answer["hi_map"])}


_ANSWERS = {"log_prob": _of_log_prob, "posterior": _of_posterior, "sample": _of_sample}


def _covariance(answer):
    """`[N, P, P]`; null where a model was exported before it had this output."""
    shape = (answer["posterior_mean"].shape[1],) * 2
    covariance = answer.get("posterior_covariance")
    if covariance is None:
        return pa.nulls(len(answer["posterior_mean"]), pa.fixed_shape_tensor(pa.float32(), shape))
    return _tensor_column(covariance)


def _tensor_column(values):
    """One array a row, as Arrow's tensors of one shape; in files and for other readers they are lists."""
    values = np.ascontiguousarray(values)
    shape = values.shape[1:]
    type_ = pa.fixed_shape_tensor(pa.from_numpy_dtype(values.dtype), shape)
    storage = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), int(np.prod(shape)))
    return pa.ExtensionArray.from_storage(type_, storage)


def _repeated(text, num_rows):
    indices = pa.array(np.zeros(num_rows, np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array([text]))


def _or_null(answer, name, num_rows, type_):
    return pa.array(answer[name], type_) if name in answer else pa.nulls(num_rows, type_)


def _known(column):
    """The values that are not null, or None if all are."""
    values = column.drop_null().to_numpy()
    return values if len(values) else None
