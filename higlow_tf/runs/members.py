"""The flows of an ensemble as runs: the first has the folder of the run, the others have folders in it."""

from higlow_tf.errors import InputError
from higlow_tf.models.companions import member_folder
from higlow_tf.runs.directory import RunDirectory
from higlow_tf.runs.end_of_training import lacks_end_layers
from higlow_tf.runs.options import is_over

__all__ = ["check_ensemble", "other_flows"]

MOST_FLOWS = 64


def check_ensemble(ensemble):
    """Refuses what is no number of flows."""
    if isinstance(ensemble, bool) or not isinstance(ensemble, int) or not 1 <= ensemble <= MOST_FLOWS:
        raise InputError(f"ensemble: expected a number of flows, 1-{MOST_FLOWS}. Received: {ensemble!r}.")


def other_flows(config, out, ensemble, resume):
    """What is to be trained beside the first flow of an ensemble.

    Args:
        config: `RunConfig` of the first flow. The others have seeds of their own, of weights and batches, and all else of it; a
            second stage starts from the same flow of the first.
        out: Folder of the run.
        ensemble: How many flows there are to be, with the first.
        resume: Whether flows that are there are continued; those that are over are left out.

    Yields:
        For each flow (number, configuration, folder, whether it is continued).
    """
    for number in range(2, ensemble + 1):
        training = config.training.model_copy(update={"seed": config.training.seed + number - 1})
        model = {**config.model, "seed": config.model.get("seed", 0) + number - 1}
        start_from = None if config.start_from is None else member_folder(config.start_from, number)
        own = config.model_copy(update={"model": model, "training": training, "start_from": start_from})
        folder = member_folder(out, number)
        run = RunDirectory(folder)
        is_continued = resume and run.checkpoints.exist()
        if not (is_continued and is_over(training, run.checkpoints.read()) and not lacks_end_layers(run, own)):
            yield number, own, folder, is_continued
