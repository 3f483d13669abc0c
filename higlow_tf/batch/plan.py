"""Cuts a job into parts: ranges of rows of its files, each with a name that says what it is computed from."""

import hashlib
import json
import re
from dataclasses import dataclass, field

import numpy as np

from higlow_tf.batch.locations import Location, find_files
from higlow_tf.batch.map_sources import open_maps
from higlow_tf.data.tables import read_parameter_table
from higlow_tf.errors import InputError

__all__ = ["Part", "Plan", "Source", "plan_maps", "plan_samples"]

_DIGEST_BYTES = 8
_MAX_STEM = 60


@dataclass(frozen=True, eq=False)
class Source:
    """A file of maps, or what parameters are drawn from.

    Attributes:
        location: `Location`; its path is the column `file` of the rows.
        num_rows: Rows of the job that come from it.
        theta: float64 `[num_rows, P]`, or None where the task needs none.
        index_in_file: Row of the file behind each row of the job, `[num_rows]`; None if they are the same.
    """

    location: Location
    num_rows: int
    theta: np.ndarray | None = None
    index_in_file: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Rows `start` to `stop` - 1 of a source, which become one Parquet file.

    Attributes:
        name: Of the file, without folder.
        source: Number of the source in the plan.
        start, stop: The range.
    """

    name: str
    source: int
    start: int
    stop: int

    @property
    def num_rows(self):
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class Plan:
    """What a job reads.

    Attributes:
        sources: List of `Source`.
        has_maps: Whether the sources are files of maps.
        skipped: Path of each file that cannot be read -> why, in a sentence.
        maps_per_row: Consecutive maps that share a row of the table of parameters.
    """

    sources: list
    has_maps: bool
    skipped: dict = field(default_factory=dict)
    maps_per_row: int = 1

    @property
    def num_rows(self):
        return sum(source.num_rows for source in self.sources)

    def parts(self, model, settings):
        """The parts of the job, in order: list of `Part`. Their names hold a hash of all that their numbers depend on."""
        identity = [model.content_hash, settings.identity()]
        return [
            Part(_part_name(settings.task, source, start, stop, identity), number, start, stop)
            for number, source in enumerate(self.sources)
            for start in range(0, source.num_rows, settings.part_rows)
            for stop in (min(start + settings.part_rows, source.num_rows),)
        ]


def plan_maps(model, patterns, *, params=None, needs_theta=True, skip_bad=False, progress=None):
    """Opens every file of maps once, and finds theta of every map.

    Theta comes from a table, or from the files themselves: HDF5 with `theta`, Parquet with columns of the parameters' names.

    Args:
        model: `ServedModel`.
        patterns: Globs of files; see `open_maps` for what they may hold.
        params: Table, one row a map, or one row a simulation, each with equally many consecutive maps. Rows are counted
            over all files, in the order of their names.
        needs_theta: Whether the task needs theta.
        skip_bad: Whether files that cannot be read are left out.
        progress: Called as `progress("files", done, total)`, or None.

    Returns:
        `Plan`.

    Raises:
        InputError: If a file cannot be read and `skip_bad` is false, if no file is left, or if theta is missing or does not fit.
    """
    locations, opened, skipped = find_files(patterns), [], {}
    for number, location in enumerate(locations):
        try:
            opened.append((location, open_maps(location, model.map_shape)))
        except InputError as error:
            if not skip_bad:
                raise InputError(f"{error} (--skip-bad leaves such files out)") from None
            skipped[location.path] = str(error)
        if progress is not None:
            progress("files", number + 1, len(locations))
    if not opened:
        raise InputError(f"--maps: expected a file that can be read. Received: {len(skipped)} that cannot.")
    theta, maps_per_row = [None] * len(opened), 1
    if needs_theta:
        theta, maps_per_row = _theta_of_files(model, opened, params, skipped)
    sources = [
        Source(location, maps.num_maps, theta=rows) for (location, maps), rows in zip(opened, theta, strict=True)
    ]
    return Plan(sources, has_maps=True, skipped=skipped, maps_per_row=maps_per_row)


def plan_samples(model, *, params=None, count=1, from_prior=None, seed=0):
    """Parameters at which maps are drawn: those of a table, or points drawn from the prior as `higlow sample` does.

    Args:
        model: `ServedModel`.
        params: Table with a point a row; or None.
        count: Maps at each point, one after the other.
        from_prior: Number of points drawn from the prior; or None.
        seed: Of the draw from the prior.

    Returns:
        `Plan`.

    Raises:
        InputError: If there is not exactly one of `params` and `from_prior`, or the table does not fit.
    """
    if (params is None) == (from_prior is None):
        received = "none" if params is None else "both"
        raise InputError(f"sample: expected either --params or --from-prior. Received: {received}.")
    if params is not None:
        (location,) = find_files([_escaped(params)])
        points = read_parameter_table(params).columns(model.parameters.names)
    else:
        location, points = Location("prior", 0, 0), model.parameters.sample_uniform(from_prior, seed=seed)
    index = np.arange(len(points)).repeat(count)
    return Plan([Source(location, len(index), points[index], index)], has_maps=False)


def _escaped(path):
    return re.sub(r"([*?[])", r"[\1]", str(path))


def _theta_of_files(model, opened, params, skipped):
    """Theta `[num_maps, P]` of each file, and how many maps share a row of the table."""
    own = [maps.table for _, maps in opened]
    names = model.parameters.names
    if params is None:
        for (location, _), table in zip(opened, own, strict=True):
            if table is None:
                raise InputError(
                    f"{location.path}: expected theta in the file, or --params with a table. Received: neither."
                )
        return [table.columns(names) for table in own], 1
    if skipped:
        path, reason = next(iter(skipped.items()))
        raise InputError(
            f"--params: expected only files that can be read, since its rows are counted over all of them. Received: {path} "
            f"({reason})"
        )
    has_own = [location.path for (location, _), table in zip(opened, own, strict=True) if _names_all(table, names)]
    if has_own:
        raise InputError(f"{has_own[0]} holds parameters itself and must come without a table. Received: {params}.")
    table, num_maps = read_parameter_table(params), sum(maps.num_maps for _, maps in opened)
    if num_maps % len(table):
        raise InputError(
            f"{params}: expected one row a map, or one a simulation with equally many maps, for {num_maps} maps. "
            f"Received: {len(table)} rows."
        )
    maps_per_row = num_maps // len(table)
    theta = table.columns(names).repeat(maps_per_row, axis=0)
    return np.split(theta, np.cumsum([maps.num_maps for _, maps in opened])[:-1]), maps_per_row


def _names_all(table, names):
    return table is not None and set(names) <= set(table.names)


def _part_name(task, source, start, stop, identity):
    """The file's name, the range, and a hash of the model, the settings, the file's state and theta."""
    location = source.location
    facts = [*identity, location.path, location.size, location.modified_ns, start, stop]
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=_DIGEST_BYTES)
    if source.theta is not None:
        digest.update(np.ascontiguousarray(source.theta[start:stop], "<f8").tobytes())
    stem = re.sub(r"[^\w.=-]", "_", location.path.rstrip("/").rpartition("/")[2])[:_MAX_STEM]
    return f"{task}_{stem}_{start:08d}-{stop:08d}_{digest.hexdigest()}.parquet"
