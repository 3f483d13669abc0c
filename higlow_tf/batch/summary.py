"""What a job is going to cost, and what it has done."""

from dataclasses import asdict, dataclass, field

__all__ = ["BatchSummary", "Counts", "Estimate"]


@dataclass
class Counts:
    """Sums over parts.

    Attributes:
        rows: Rows that are written.
        nan_rows: Of these, rows whose answer is not finite: maps that are not positive and finite, as a rule.
        outside_prior: Rows whose theta lies outside the prior; None if the model does not tell.
        atypical: Maps with a typicality below 0.01; None if the model does not tell.
        size: Bytes of the files.
    """

    rows: int = 0
    nan_rows: int = 0
    outside_prior: int | None = None
    atypical: int | None = None
    size: int = 0

    def add(self, *, rows, nan_rows, outside_prior, atypical, size):
        """Adds those of one more part."""
        self.rows += rows
        self.nan_rows += nan_rows
        self.size += size
        for name, value in (("outside_prior", outside_prior), ("atypical", atypical)):
            if value is not None:
                setattr(self, name, (getattr(self, name) or 0) + value)


@dataclass(frozen=True)
class Estimate:
    """What is left to do, and for how long, from a few rows that were timed.

    Attributes:
        rows: Rows of the job.
        rows_left: Rows that are not written yet.
        num_actors: Actors that share them.
        rows_per_actor_second: Rows a second of one actor.
    """

    rows: int
    rows_left: int
    num_actors: int
    rows_per_actor_second: float

    @property
    def seconds(self):
        """Time left, if every actor has a core for itself."""
        return self.core_seconds / self.num_actors

    @property
    def core_seconds(self):
        """Core time left."""
        return self.rows_left / self.rows_per_actor_second


@dataclass(frozen=True)
class BatchSummary:
    """A job at its end.

    Attributes:
        task: Its task.
        model: Name of the model.
        model_hash: Its hash.
        out: Folder of the results.
        files: Files that were read, or tables.
        skipped: Path of each file that was left out, or of a range of its rows -> why.
        rows_skipped: Rows in ranges that could not be read; those of whole files are not known.
        parts: Part files in the folder.
        parts_found: Of these, those that an earlier call had written.
        counts: `Counts` over all parts.
        rows_now: Rows that this call has written.
        elapsed_seconds: From the beginning of the first part of this call to the end of its last.
        cpu_seconds: CPU time of the actors for these.
    """

    task: str
    model: str
    model_hash: str
    out: str
    files: int
    skipped: dict = field(default_factory=dict)
    rows_skipped: int = 0
    parts: int = 0
    parts_found: int = 0
    counts: Counts = field(default_factory=Counts)
    rows_now: int = 0
    elapsed_seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def complete(self):
        return not self.skipped

    @property
    def rows_per_second(self):
        """Of this call; 0 if there was nothing left to do."""
        return self.rows_now / self.elapsed_seconds if self.elapsed_seconds else 0.0

    def to_json(self):
        """All of it, JSON-compatible, flat."""
        content = asdict(self)
        content |= content.pop("counts")
        return {"format_version": 1, "complete": self.complete} | content | {"rows_per_second": self.rows_per_second}
