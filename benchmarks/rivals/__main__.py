"""What other methods get out of the same maps: trains rivals on the split of higlow, and judges all in one way.

    python -m benchmarks.rivals --maps F --params F --out DIR [--rival ridge,network,bayesflow,hiflow,trenf]
                                [--minutes 12 90] [--ours RUN ...]

Simulations are split 0.7, 0.1, 0.2 as by `higlow train`. A rival learns from the training simulations, stops early by
the validation simulations, and sees no test map. Its log posterior is repaired on the validation simulations (as higlow repairs
its own) and scored on the test simulations: information gain, RMSE, coverage, mean squared pull, with bootstrap errors
over simulations, for one map and for all maps of a simulation.

DIR gets rivals.json, rivals.md and rivals.png. A rival that is there is not trained again: other rivals, more minutes and runs
of ours can be added by further calls.
"""

import argparse
import functools
import sys
from pathlib import Path

from higlow_tf.cli.console import load_tensorflow
from higlow_tf.errors import InputError
from higlow_tf.files import whole_path, write_json

__all__ = ["RIVALS", "main"]

RIVALS = ("ridge", "network", "bayesflow", "hiflow", "trenf")
_INPUT_ERROR = 2


def main(arguments=None):
    """Returns the exit code: 2 for wrong input."""
    options = _parser().parse_args(arguments)
    try:
        compare(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return _INPUT_ERROR
    return 0


def compare(options):
    """Trains and judges what is asked for and not there, and writes the table of all that is there."""
    load_tensorflow()  # before all that imports it: its libraries would write lines
    from benchmarks.rivals.flows import of_run
    from benchmarks.rivals.judging import judge
    from benchmarks.rivals.problem import read_problem
    from benchmarks.rivals.rows import has_row, open_rows, write_row

    problem = read_problem(
        options.maps,
        options.params,
        parameters=options.parameters.split(","),
        split_seed=options.split_seed,
        maps_per_simulation=options.maps_per_simulation,
        num_symmetries=options.symmetries,
    )
    open_rows(options.out, problem)
    work = {name: (title, make, False) for name, (title, make) in _trainings(options, problem).items()}
    # All at once: a run that does not belong here is refused before hours of training.
    for path in options.ours:
        if f"ours_{path.name}" in work:
            raise InputError(f"--ours: expected runs of different names. Received: {path.name} twice.")
        found = of_run(path, problem)
        work[f"ours_{path.name}"] = (path.name, lambda found=found: found, True)
    for name, (title, make, is_ours) in work.items():
        if has_row(options.out, name) and not options.again:
            _say(f"{name}: is there")
            continue
        _say(f"{name}: begins")
        likelihoods, facts = make()
        judgement = judge(likelihoods, problem, options.seed)
        write_row(options.out, name, title, facts, judgement, is_ours)
        _say(f"{name}: gains {judgement.metrics['information_gain_nats'].value:.3f} nats")
    _write(options.out, problem)


def _trainings(options, problem):
    """Title and training of each rival by the name of its row."""
    found = {}
    for rival in options.rival.split(",") if options.rival else ():
        if rival not in RIVALS:
            raise InputError(f"--rival: expected names among {', '.join(RIVALS)}. Received: {rival!r}.")
        title, train = _method(rival)
        for minutes in options.minutes if rival != "ridge" else [None]:
            name = rival if minutes is None else f"{rival}_{minutes:g}min"
            how = (problem, None if minutes is None else 60.0 * minutes, options.seed, options.out / "runs" / name)
            words = title if minutes is None else f"{title}, {minutes:g} minutes"
            found[name] = (words, functools.partial(train, *how))
    return found


def _method(rival):
    """Title and training function; only what is asked for is imported."""
    if rival == "ridge":
        from benchmarks.rivals.ridge import TITLE, train_ridge

        return TITLE, train_ridge
    if rival == "network":
        from benchmarks.rivals.network import TITLE, train_network

        return TITLE, train_network
    if rival == "bayesflow":
        from benchmarks.rivals.bayesflow_npe import TITLE, check_bayesflow, train_bayesflow

        check_bayesflow()
        return TITLE, train_bayesflow
    from benchmarks.rivals.flows import TITLES, train_flow

    return TITLES[rival], functools.partial(train_flow, kind=rival)


def _write(out, problem):
    from benchmarks.rivals.rows import read_rows
    from benchmarks.rivals.table import draw_rows, table_of

    rows, config = read_rows(out), problem.to_config()
    table = table_of(rows, config)
    write_json({"format_version": 1, "problem": config, "rivals": rows}, out / "rivals.json")
    with whole_path(out / "rivals.md") as part:
        part.write_text(table, encoding="utf-8")
    with whole_path(out / "rivals.png") as part:
        draw_rows(rows, problem.parameters.names).savefig(part, dpi=120, format="png")
    _say(table)


def _say(line):
    print(line, flush=True)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rivals", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--maps", required=True, help="maps in CMD layout")
    parser.add_argument("--params", required=True, help="their parameter table")
    parser.add_argument("--out", type=Path, required=True, help="folder; a comparison of the same maps goes on in it")
    parser.add_argument("--rival", default=",".join(RIVALS), help="names with commas between them; empty for none")
    parser.add_argument(
        "--minutes",
        type=float,
        nargs="+",
        default=[12.0],
        help="time of a training: of the processor, for flows of the clock",
    )
    parser.add_argument("--ours", type=Path, nargs="+", default=[], metavar="RUN", help="runs of the same split")
    parser.add_argument("--parameters", default="Omega_m,sigma_8", help="parameters of interest")
    parser.add_argument("--split-seed", type=int, default=0)
    parser.add_argument(
        "--maps-per-simulation", type=int, default=15, help="most validation and test maps of a simulation"
    )
    parser.add_argument(
        "--symmetries", type=int, default=4, help="copies of a map over which log posteriors are averaged"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of trainings and of the bootstrap")
    parser.add_argument("--again", action="store_true", help="also what is there already")
    return parser


if __name__ == "__main__":
    sys.exit(main())
