"""Training with a bar and words, for every command that trains."""

import typer

from higlow_tf.cli.console import INTERRUPTED, say

__all__ = ["join_with_words", "train_with_progress"]

# Pixels a side of the maps for which minutes are told in help and documentation.
_USUAL_MAP_SIZE = 64


def join_with_words():
    """The `Workers` of this training, when all are there; says so if it must wait for others."""
    from higlow_tf.runs.cluster import cluster_of_environment, join_workers
    from higlow_tf.runs.workers import Workers

    cluster = cluster_of_environment()
    if cluster is not None:
        _, index, addresses = cluster
        say(f"Worker {index} of {len(addresses)}, at {addresses[index]}: waiting for the others.")
    return Workers(join_workers())


def train_with_progress(config, out, *, resume=False, overwrite=False, workers=None, ensemble=1):
    """Trains with progress, and says what is trained on and how it went.

    Args:
        config, out, resume, overwrite, ensemble: As in `higlow_tf.runs.train`.
        workers: `Workers`; None to join those of the environment.

    Returns:
        The `Run` of the first flow; None in a worker that is not the chief.

    Raises:
        InputError: If the data, the configuration or the folder cannot be used. An existing run then stays as it was.
        typer.Exit: After Ctrl-C, with code 130.
    """
    from higlow_tf.cli.train_progress import TrainProgress
    from higlow_tf.models.companions import member_folder
    from higlow_tf.runs import RunDirectory, open_run, read_training_data, run_nuisance, train
    from higlow_tf.runs.devices import describe_devices

    workers = workers or join_with_words()
    data = read_training_data(config, out, resume=resume)
    how = {"resume": resume, "overwrite": overwrite, "data": data, "strategy": workers.strategy, "ensemble": ensemble}
    say(f"Training on {describe_devices(workers)}.")
    if not workers.is_chief:
        return train(config, out=out, **how)
    _say_data(data, config, run_nuisance(config, data.parameters))
    try:
        with TrainProgress(ensemble) as progress:
            run = train(config, out=out, callbacks=[progress], **how)
    except KeyboardInterrupt:
        if RunDirectory(out).checkpoints.exist():
            again = "" if ensemble == 1 else f" --ensemble {ensemble}"
            say(f"\nStopped. Continue with: higlow train --resume{again} --out {out}")
        else:
            say("\nStopped before the end of the first epoch: start again with --overwrite.")
        raise typer.Exit(INTERRUPTED) from None
    _say_result(run)
    for number in range(2, ensemble + 1):
        say(f"Flow {number}:")
        _say_result(open_run(member_folder(out, number)))
    if run.end_layer_fit is not None:
        say(run.end_layer_fit.describe())
    return run


def _say_data(data, config, nuisance):
    regridded = "" if data.native_size == data.map_size else f" (regridded from {data.native_size})"
    channels = "" if data.num_channels == 1 else f" and {data.num_channels} fields"
    say(
        f"{data.num_maps} maps of {data.map_size}x{data.map_size} pixels{regridded}{channels}, "
        f"{data.num_simulations} simulations, conditioned on {', '.join(data.parameters.names)}; preset {config.preset}"
    )
    times = (data.map_size // _USUAL_MAP_SIZE) ** 2
    if times > 1 and config.data.map_size is None:
        say(f"Maps of this size take some {times} times as long as those of 64x64: --map-size 64 makes them smaller.")
    if nuisance:
        asked = ", ".join(data.parameters.without(nuisance).names)
        say(f"Asked for: {asked}. Drawn from their prior where they are not given: {', '.join(nuisance)}.")


def _say_result(run):
    history, best = run.history, run.best_epoch
    say(
        f"Best validation: {history['val_loss'][best]:.4f} nats per pixel, in epoch {history['epoch'][best]:.0f} of "
        f"{history['epoch'][-1]:.0f} ({history['wall_minutes'][-1]:.1f} minutes); "
        f"skipped steps: {history['skipped_steps'].sum():.0f}",
        bold=True,
    )
