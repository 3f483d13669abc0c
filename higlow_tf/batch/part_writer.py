"""The actor of the pipeline: holds the model, reads the rows of a part, and writes their answers as one file."""

import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from higlow_tf.batch.map_sources import open_maps
from higlow_tf.batch.tables import counts_of, table_of, with_counts
from higlow_tf.errors import InputError
from higlow_tf.files import whole_path
from higlow_tf.versions import version

__all__ = ["TIMING", "PartWriter", "Record"]

TIMING = -1
"""The item that asks for the speed of a few rows instead of a part."""
_MAX_OPEN_FILES = 8


@dataclass(frozen=True)
class Record:
    """What an actor says of an item; small, since records are all that travels back.

    Attributes:
        item: Number of the part, or `TIMING`.
        ended: When it was finished, seconds since 1970.
        seconds: What it took, without loading the model.
        cpu_seconds: CPU time of it.
        rows, nan_rows, outside_prior, atypical: As `counts_of` gives them.
        size: Bytes of the file.
        problem: Whose fault it is that there is none: "" (there is one), "input", "output" or "model".
        sentence: What is wrong.
    """

    item: int
    ended: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    rows: int = 0
    nan_rows: int = 0
    outside_prior: int | None = None
    atypical: int | None = None
    size: int = 0
    problem: str = ""
    sentence: str = ""


class PartWriter:
    """Callable of Ray Data's `map_batches`: a batch is the number of one part.

    A part depends on nothing but its rows. It may be written twice, if a machine is lost in between: the bits are the same.

    Args:
        model: `ServedModel`.
        settings: `TaskSettings`.
        plan: `Plan`.
        parts: Its parts.
        folder: Where the files go.
    """

    def __init__(self, model, settings, plan, parts, folder):
        self._model, self._settings, self._plan, self._parts = model, settings, plan, parts
        self._folder = Path(folder)
        self._open = OrderedDict()
        self._refusal = None
        # Whoever hands out the parts needs no TensorFlow.
        from higlow_tf.batch.answers import LoadedModel

        try:
            self._loaded = LoadedModel(model, settings)
            # The first call of a signature optimises its graph: nobody wants to pay for that in a measurement.
            self._loaded(**self._example_rows())
        except InputError as error:
            self._refusal = str(error)

    def __call__(self, batch):
        (item,) = batch["item"].tolist()
        started, cpu_started = time.monotonic(), time.process_time()
        if self._refusal is not None:
            record = Record(item, problem="model", sentence=self._refusal)
        elif item == TIMING:
            record = self._time_a_few_rows()
        else:
            record = self._write(item)
        used = {
            "ended": time.time(),
            "seconds": time.monotonic() - started,
            "cpu_seconds": time.process_time() - cpu_started,
        }
        return {name: [value] for name, value in (asdict(record) | used).items()}

    def _write(self, item):
        part = self._parts[item]
        try:
            inputs = self._inputs(part)
        except InputError as error:
            return Record(item, problem="input", sentence=str(error))
        table = self._table(part, inputs, self._loaded(**inputs))
        counts = counts_of(self._settings, table)
        path = self._folder / part.name
        try:
            with whole_path(path) as temporary:
                pq.write_table(with_counts(table, counts), temporary, compression="zstd")
        except InputError as error:
            return Record(item, problem="output", sentence=str(error))
        return Record(item, size=path.stat().st_size, **counts)

    def _time_a_few_rows(self):
        inputs = self._example_rows()
        self._loaded(**inputs)
        return Record(TIMING, rows=self._loaded.request_rows)

    def _example_rows(self):
        """One whole request of plausible rows: maps without structure take as long as any."""
        num_rows = self._loaded.request_rows
        if self._settings.task == "sample":
            theta = np.broadcast_to(self._model.parameters.middle, (num_rows, len(self._model.parameters)))
            return {"theta": theta, "rows": np.arange(num_rows)}
        maps = np.full((num_rows, *self._model.map_shape), 1e6, np.float32)
        theta = np.broadcast_to(self._model.parameters.middle, (num_rows, len(self._model.parameters)))
        return {"maps": maps, "theta": theta}

    def _inputs(self, part):
        source = self._plan.sources[part.source]
        rows = slice(part.start, part.stop)
        theta = None if source.theta is None else source.theta[rows]
        if self._plan.has_maps:
            return {"maps": self._maps(source.location).read(part.start, part.stop), "theta": theta}
        return {"theta": theta, "rows": np.arange(part.start, part.stop)}

    def _maps(self, location):
        """The opened file; the last few are kept."""
        if location.path not in self._open:
            self._open[location.path] = open_maps(location, self._model.map_shape)
        self._open.move_to_end(location.path)
        if len(self._open) > _MAX_OPEN_FILES:
            self._open.popitem(last=False)
        return self._open[location.path]

    def _table(self, part, inputs, answer):
        source = self._plan.sources[part.source]
        index = np.arange(part.start, part.stop)
        return table_of(
            self._model,
            self._settings,
            answer,
            file=source.location.path,
            index_in_file=index if source.index_in_file is None else source.index_in_file[index],
            theta=inputs.get("theta"),
            rows=inputs.get("rows"),
            package_version=version(),
        )
