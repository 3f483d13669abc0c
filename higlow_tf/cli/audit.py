"""higlow audit: what a run was trained on, and whether a file may be used to test it."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, say
from higlow_tf.cli.options import Run
from higlow_tf.errors import InputError

__all__ = ["audit"]


def audit(
    run: Run,
    maps: Annotated[Path | None, typer.Option(help="Maps that might test the run.")] = None,
    params: Annotated[Path | None, typer.Option(help="Their table of parameters.")] = None,
):
    """Say what a run was trained on, and whether a file, known by its content, may be used to test it.

    Example: higlow audit RUN --maps MAPS.npy --params PARAMS.txt
    """
    if (maps is None) != (params is None):
        raise InputError("Expected --maps and --params together. Received: one of them.")
    load_tensorflow()
    record = _read_record(run)
    names = [spec["name"] for spec in record["parameters"]]
    say(f"{run} was trained on:")
    print_table(
        ("", ""),
        [
            ("maps", record["source"][0] if record["source"] else "not recorded"),
            ("parameters", record["source"][1] if len(record["source"]) > 1 else "not recorded"),
            ("suite, redshift", f"{record['suite'] or 'not stated'}, {record['redshift'] or 'not stated'}"),
            ("conditioned on", ", ".join(names)),
            ("content", f"{record['num_maps']} maps, {record['content_hash']}"),
            ("zeros", "none" if record["zero_floor"] is None else f"floored at {record['zero_floor']['floor']:.4g}"),
        ],
    )
    print_table(
        (f"split by simulation, seed {record['seed']}", "simulations", "maps"),
        [
            (name, len(simulations), len(record["map_hashes"][name]))
            for name, simulations in record["simulations"].items()
        ],
    )
    if maps is None:
        say("Give --maps and --params to learn whether a file may be used to test it.")
    else:
        _judge(record, maps, params)


def _read_record(run):
    import json

    from higlow_tf.models.saving import check_format_version

    if not run.is_dir():
        raise InputError(f"{run}: expected the folder of a run or a model. Received: no such folder.")
    check_format_version(run)
    path = run / "split.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path}: expected the record of a run's training maps. Received: no such file.") from None


def _judge(record, maps, params):
    from higlow_tf.data import ParameterSpace, load_cmd

    space = ParameterSpace.from_config(record["parameters"])
    data = load_cmd(maps, params, tuple(space), box_size_mpc_h=record["box_size_mpc_h"])
    hashes = data.map_hashes()
    found = {name: sum(h in known for h in hashes) for name, known in _hash_sets(record).items()}
    counts = ", ".join(f"{number} {name}" for name, number in found.items() if number) or "none"
    say(f"{maps}: {data.num_maps} maps of {data.num_simulations} simulations; known to the run: {counts}.")
    if data.content_hash() == record["content_hash"]:
        number = len(record["simulations"]["test"])
        text = f"Yes, in part: it is the file that was trained on, and its {number} test simulations may test the run."
        say(f"{text} The commands of higlow take those, and only those, by themselves.", fg="green")
    elif found["train"] or found["validation"]:
        text = "No: the run has learned from maps of this file. A test on them would say nothing about new maps."
        say(f"{text} Split by simulation before training, or test on another file.", fg="red")
    elif found["test"]:
        say("Yes: these are test maps of the run, which it has not learned from.", fg="green")
    else:
        say("Yes: the run has seen none of these maps. All of them may test it.", fg="green")


def _hash_sets(record):
    return {name: set(hashes) for name, hashes in record["map_hashes"].items()}
