"""Runs a job: Ray Data streams the numbers of the parts through actors that hold the model."""

from pathlib import Path

from higlow_tf.batch.job_folder import FILES, JobFolder, check_is_folder_path, found_parts
from higlow_tf.batch.part_writer import TIMING
from higlow_tf.batch.pipeline import records_of
from higlow_tf.batch.ray_session import ray_session
from higlow_tf.batch.tally import Tally
from higlow_tf.errors import InputError
from higlow_tf.files import remove_parts, resolved
from higlow_tf.ownership import owned_folder

__all__ = ["estimate_batch", "run_batch"]


def run_batch(
    model,
    settings,
    plan,
    out,
    *,
    address=None,
    num_actors=None,
    skip_bad=False,
    overwrite=False,
    on_estimate=None,
    progress=None,
    debug=False,
):
    """Computes all parts of a plan that are not in a folder yet.

    Each part is one Parquet file, which appears whole or not at all. A call that was stopped or killed is continued by the same
    call: finished parts are kept, and the bits at the end are those of a call that nothing stopped.

    Args:
        model: `ServedModel`.
        settings: `TaskSettings`.
        plan: `Plan`.
        out: Folder; on a cluster one that all its machines share.
        address: Of a Ray cluster; None for this machine alone. See `ray_session`.
        num_actors: Copies of the model, each on one core; None: one for each core.
        skip_bad: Whether ranges of rows that cannot be read are left out.
        overwrite: Whether results of another job that higlow wrote there are removed first.
        on_estimate: Called with the `Estimate` as soon as a few rows are timed, or None.
        progress: Called as `progress("rows", done, total)` after every part, or None.
        debug: Whether Ray may write on the screen.

    Returns:
        `BatchSummary`.

    Raises:
        InputError: If the folder holds another job or is in use, the model cannot be loaded, a part cannot be read or written,
            or there is no cluster at the address.
    """
    check_is_folder_path(out)
    parts = plan.parts(model, settings)
    with owned_folder(out, "batch", names=FILES, overwrite=overwrite, resume=True) as owned:
        folder = JobFolder(owned, out, model, settings, parts)
        folder.check(overwrite=overwrite)
        tally = Tally(plan, parts, {} if overwrite else found_parts(owned.path, parts), skip_bad)
        try:
            if tally.items_left:
                with ray_session(address, num_actors, debug=debug) as actors:
                    records = records_of(model, settings, plan, parts, tally.items_left, folder.parts_path, actors)
                    _consume(records, tally, folder, actors, plan, on_estimate, progress)
            else:
                folder.settle()
        finally:
            remove_parts(owned.path)
        summary = tally.summary(model, settings, out)
        folder.finish(summary)
        return summary


def estimate_batch(model, settings, plan, out, *, address=None, num_actors=None, debug=False):
    """Times a few rows and writes nothing: `Estimate` of what `run_batch` with the same arguments has left to do."""
    check_is_folder_path(out)
    parts = plan.parts(model, settings)
    tally = Tally(plan, parts, found_parts(resolved(out), parts), skip_bad=False)
    with ray_session(address, num_actors, debug=debug) as actors:
        (timing,) = records_of(model, settings, plan, parts, [], Path(out), num_actors=1)
        if timing.problem:
            raise InputError(timing.sentence)
        return tally.estimate(timing, actors)


def _consume(records, tally, folder, num_actors, plan, on_estimate, progress):
    """Counts the records as they come; the first that is good shows that the job runs."""
    is_settled = False
    for record in records:
        if record.problem == "model":
            raise InputError(record.sentence)
        if not is_settled:
            folder.settle()
            is_settled = True
        if record.item == TIMING:
            if on_estimate is not None:
                on_estimate(tally.estimate(record, num_actors))
            continue
        folder.check_arrived(record)
        tally.add(record)
        if progress is not None:
            progress("rows", tally.rows_done, plan.num_rows)
