"""What a run was trained on, and whether a file of maps may be used to test it."""

from dataclasses import dataclass

from higlow_tf.data.map_hash import map_hash
from higlow_tf.errors import InputError
from higlow_tf.gallery import find_run
from higlow_tf.models.saving import check_format_version
from higlow_tf.models.split_file import SPLIT_FILE, read_split_file
from higlow_tf.runs.reading import load_data_like, load_maps_like
from higlow_tf.runs.split_record import seen_maps

__all__ = ["Audit", "audit_run"]


@dataclass(frozen=True)
class Audit:
    """What a run was trained on, in words, and what that means for a file.

    Attributes:
        facts: Pairs (what, value): files, suite, pixels, box, parameters, content, zeros.
        split_seed: Seed of the split.
        counts: Rows (subset, number of simulations, number of maps).
        findings: How many maps the file has and which of them the run knows; "" without a file.
        verdict: Whether the file may test the run, beginning with "Yes" or "No"; "" without a file.
    """

    facts: tuple
    split_seed: int
    counts: tuple
    findings: str = ""
    verdict: str = ""

    @property
    def is_usable(self):
        """Whether the file may test the run; None without a file."""
        return self.verdict.startswith("Yes") if self.verdict else None


def audit_run(run, maps=None, params=None):
    """Says what a run or a saved model was trained on, and whether a file may test it. A file is known by its content.

    Args:
        run: Folder of the run or the model, or the name of a published one.
        maps: Path of maps that might test it, or several for the channels; None for only the facts.
        params: Path of their table; None for an HDF5 file that holds parameters, or if they are not known. Then only the pixels
            are compared, and other maps of a simulation that was trained on are not noticed.

    Returns:
        `Audit`.

    Raises:
        InputError: If there is no record of the training maps, or the file cannot be read.
    """
    record = _read_record(find_run(run))
    counts = tuple(
        (name, len(simulations), len(record["map_hashes"][name])) for name, simulations in record["simulations"].items()
    )
    audit = Audit(tuple(_facts(record)), record["seed"], counts)
    return audit if maps is None else Audit(audit.facts, audit.split_seed, counts, *_judge(record, maps, params))


def _read_record(run):
    if not run.is_dir():
        raise InputError(f"{run}: expected the folder of a run or a model. Received: no such folder.")
    check_format_version(run)
    return read_split_file(run / SPLIT_FILE)


def _facts(record):
    """What the maps were, as pairs; records of older runs say less."""
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
        *([("modelled", "the maps themselves, not their log10")] if _is_identity(record) else []),
        ("conditioned on", "\n".join(_prior_text(spec) for spec in record["parameters"])),
        ("content", f"{record['num_maps']} maps, {record['content_hash']}"),
        ("zeros", _zeros_text(record)),
    ]


def _is_identity(record):
    return record.get("map_transform") == "identity"


def _stated(fact):
    return "not stated" if fact is None else str(fact)


def _prior_text(spec):
    scale = ", log-uniform" if spec["transform"] == "log" else ""
    return f"{spec['name']} from {spec['low']:g} to {spec['high']:g}{scale}"


def _zeros_text(record):
    if record["zero_floor"] is None:
        return "kept as they are" if _is_identity(record) else "none"
    text = f"floored at {record['zero_floor']['floor']:.4g}"
    if "zero_pixels" not in record:
        return text
    total = record["num_maps"] * record["map_size"] ** 2 * record["num_channels"]
    counts = ", ".join(f"{number} {name}" for name, number in record["zero_pixels"].items())
    return f"{text}: {sum(record['zero_pixels'].values())} of {total} pixels ({counts})"


def _judge(record, maps, params):
    """Findings and verdict."""
    files = ", ".join(map(str, maps if isinstance(maps, (list, tuple)) else [maps]))
    if params is None:
        alone = load_maps_like(record, maps, floor=False)
        if alone.content is None or alone.content.table is None:
            return _judge_pixels(record, alone.maps, files)
    data = load_data_like(record, maps, params)
    found, counts = _known_maps(record, data.map_hashes())
    num_seen = int(seen_maps(record, data).sum())
    findings = f"{files}: {data.num_maps} maps of {data.num_simulations} simulations; known to the run: {counts}."
    if data.content_hash() == record["content_hash"]:
        number = len(record["simulations"]["test"])
        text = f"Yes, in part: it is the file that was trained on, and its {number} test simulations may test the run."
        return findings, f"{text} The commands of higlow use these, and only these, by themselves."
    if num_seen > found["train"] + found["validation"]:
        text = f"No: {num_seen} maps are of simulations that the run has learned from, by suite, set and parameters."
        return findings, f"{text} Other maps of the same simulation are no test."
    if num_seen:
        text = "No: the run has learned from maps of this file. A test on them would say nothing about new maps."
        return findings, f"{text} Split by simulation before training, or test on another file."
    if found["test"]:
        return findings, "Yes: these are test maps of the run, which it has not learned from."
    return findings, "Yes: the run has seen none of these maps. All of them may test it."


def _judge_pixels(record, maps, files):
    """Findings and verdict of maps whose parameters are not known."""
    found, counts = _known_maps(record, [map_hash(hi_map) for hi_map in maps])
    findings = f"{files}: {len(maps)} maps, without parameters; known to the run: {counts}."
    if found["train"] or found["validation"]:
        text = "No: the run has learned from maps of this file, which is known by their pixels."
        return (
            findings,
            f"{text} Give --params if it is the file that was trained on: its test simulations may test the run.",
        )
    if found["test"]:
        return findings, "Yes: these are test maps of the run, which it has not learned from."
    text = "Yes, by their pixels: the run has seen none of these maps."
    return findings, f"{text} Whether they are other maps of its simulations only their parameters tell (--params)."


def _known_maps(record, hashes):
    """How many of some maps each subset of the run has, and the same in words."""
    known = {name: set(of_subset) for name, of_subset in record["map_hashes"].items()}
    found = {name: sum(of_map in of_subset for of_map in hashes) for name, of_subset in known.items()}
    return found, ", ".join(f"{number} {name}" for name, number in found.items() if number) or "none"
