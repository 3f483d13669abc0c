"""Keeps count of a job while its records come in."""

from higlow_tf.batch.summary import BatchSummary, Counts, Estimate
from higlow_tf.errors import InputError

__all__ = ["Tally"]

_COUNTED = ("rows", "nan_rows", "outside_prior", "atypical", "size")


class Tally:
    """What is written, what is left out, and how fast it goes.

    Args:
        plan: `Plan`.
        parts: Its parts.
        found: Number of each part that an earlier call had written -> its counts.
        skip_bad: Whether parts that cannot be read are left out; otherwise they end the job.
    """

    def __init__(self, plan, parts, found, skip_bad):
        self._plan, self._parts, self._found, self._skip_bad = plan, parts, found, skip_bad
        self._counts, self._skipped, self._rows_skipped = Counts(), dict(plan.skipped), 0
        self._rows_now, self._cpu_seconds, self._times = 0, 0.0, []
        for counts in found.values():
            self._counts.add(**counts)

    @property
    def rows_done(self):
        """Rows that are written or left out."""
        return self._counts.rows + self._rows_skipped

    @property
    def items_left(self):
        """Numbers of the parts that are not there."""
        return [number for number in range(len(self._parts)) if number not in self._found]

    def add(self, record):
        """Counts a part.

        Args:
            record: `Record` of a part.

        Raises:
            InputError: If the part could not be written, or could not be read and may not be left out.
        """
        self._times += [record.ended - record.seconds, record.ended]
        self._cpu_seconds += record.cpu_seconds
        if not record.problem:
            self._counts.add(**{name: getattr(record, name) for name in _COUNTED})
            self._rows_now += record.rows
        elif record.problem == "input" and self._skip_bad:
            part = self._parts[record.item]
            path = self._plan.sources[part.source].location.path
            self._skipped[f"{path} [{part.start}:{part.stop}]"] = record.sentence
            self._rows_skipped += part.num_rows
        else:
            hint = " (--skip-bad leaves such rows out)" if record.problem == "input" else ""
            raise InputError(f"{record.sentence}{hint}")

    def estimate(self, timing, num_actors):
        """`Estimate` of what this call has to do, from the record of the timed rows, which may come after those of parts."""
        return Estimate(
            rows=self._plan.num_rows,
            rows_left=sum(self._parts[number].num_rows for number in self.items_left),
            num_actors=min(num_actors, max(1, len(self.items_left))),
            rows_per_actor_second=timing.rows / timing.seconds,
        )

    def summary(self, model, settings, out):
        """`BatchSummary` of the job as it is now."""
        return BatchSummary(
            task=settings.task,
            model=model.name,
            model_hash=model.content_hash,
            out=str(out),
            files=len(self._plan.sources),
            skipped=self._skipped,
            rows_skipped=self._rows_skipped,
            parts=len(self._parts),
            parts_found=len(self._found),
            counts=self._counts,
            rows_now=self._rows_now,
            elapsed_seconds=max(self._times) - min(self._times) if self._times else 0.0,
            cpu_seconds=self._cpu_seconds,
        )
