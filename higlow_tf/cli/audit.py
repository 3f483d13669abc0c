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
    maps: Annotated[list[Path] | None, typer.Option(help="Maps that might test the run; several are channels.")] = None,
    params: Annotated[Path | None, typer.Option(help="Their table of parameters; not for .h5 that holds them.")] = None,
):
    """Say what a run was trained on, and whether a file, known by its content, may be used to test it.

    Example: higlow audit RUN --maps MAPS.npy --params PARAMS.txt
    """
    maps = maps or []
    if params is None and any(file.suffix == ".npy" for file in maps) or params is not None and not maps:
        raise InputError("Expected --maps and --params together. Received: one of them.")
    load_tensorflow()
    record = _read_record(run)
    say(f"{run} was trained on:")
    print_table(("", ""), _facts(record))
    print_table(
        (f"split by simulation, seed {record['seed']}", "simulations", "maps"),
        [
            (name, len(simulations), len(record["map_hashes"][name]))
            for name, simulations in record["simulations"].items()
        ],
    )
    if not maps:
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
        raise InputError(
            f"{path}: expected the record of a run's training maps. Received: no such file, or no JSON."
        ) from None


def _facts(record):
    """What the maps were, as rows of a table; records of older runs say less."""
    size, native = record.get("map_size"), record.get("native_size")
    regridded = "" if size == native else f", regridded from {native} x {native}"
    thickness = record.get("slab_thickness_mpc_h")
    fields = record.get("field")
    return [
        ("files", "\n".join(record["source"]) or "not recorded"),
        ("suite, set, redshift", ", ".join(_stated(record.get(key)) for key in ("suite", "set", "redshift"))),
        ("fields", ", ".join(str(name) for name in fields) if isinstance(fields, list) else fields or "not stated"),
        ("pixels", f"{size} x {size}{regridded}" if size else "not recorded"),
        ("box, units", f"{record['box_size_mpc_h']:g} Mpc/h, {record['units']}"),
        *([("projected", f"from grids, in slabs of {thickness:g} Mpc/h")] if thickness else []),
        ("conditioned on", "\n".join(_prior_text(spec) for spec in record["parameters"])),
        ("content", f"{record['num_maps']} maps, {record['content_hash']}"),
        ("zeros", _zeros_text(record)),
    ]


def _stated(fact):
    return "not stated" if fact is None else str(fact)


def _prior_text(spec):
    scale = ", log-uniform" if spec["transform"] == "log" else ""
    return f"{spec['name']} from {spec['low']:g} to {spec['high']:g}{scale}"


def _zeros_text(record):
    if record["zero_floor"] is None:
        return "none"
    text = f"floored at {record['zero_floor']['floor']:.4g}"
    if "zero_pixels" not in record:
        return text
    total = record["num_maps"] * record["map_size"] ** 2 * record["num_channels"]
    counts = ", ".join(f"{number} {name}" for name, number in record["zero_pixels"].items())
    return f"{text}: {sum(record['zero_pixels'].values())} of {total} pixels ({counts})"


def _judge(record, maps, params):
    from higlow_tf.runs.split_record import load_data_like, seen_maps

    data = load_data_like(record, maps, params)
    hashes = data.map_hashes()
    found = {name: sum(h in known for h in hashes) for name, known in _hash_sets(record).items()}
    num_seen = int(seen_maps(record, data).sum())
    counts = ", ".join(f"{number} {name}" for name, number in found.items() if number) or "none"
    say(
        f"{', '.join(map(str, maps))}: {data.num_maps} maps of {data.num_simulations} simulations; known to the run: {counts}."
    )
    if data.content_hash() == record["content_hash"]:
        number = len(record["simulations"]["test"])
        text = f"Yes, in part: it is the file that was trained on, and its {number} test simulations may test the run."
        say(f"{text} The commands of higlow take those, and only those, by themselves.", fg="green")
    elif num_seen > found["train"] + found["validation"]:
        text = f"No: {num_seen} maps are of simulations that the run has learned from, by suite, set and parameters."
        say(f"{text} Other maps of the same simulation are no test.", fg="red")
    elif num_seen:
        text = "No: the run has learned from maps of this file. A test on them would say nothing about new maps."
        say(f"{text} Split by simulation before training, or test on another file.", fg="red")
    elif found["test"]:
        say("Yes: these are test maps of the run, which it has not learned from.", fg="green")
    else:
        say("Yes: the run has seen none of these maps. All of them may test it.", fg="green")


def _hash_sets(record):
    return {name: set(hashes) for name, hashes in record["map_hashes"].items()}
