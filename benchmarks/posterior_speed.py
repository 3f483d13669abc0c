"""Speed of a posterior: its likelihoods beside those of a PyTorch peer, or the posterior from few points beside a dense grid.

    python benchmarks/posterior_speed.py --preset compact --points 1024 --rounds 5
    python benchmarks/posterior_speed.py --run RUN --maps MAPS.npy --params PARAMS.txt --count 12
    python benchmarks/posterior_speed.py --run RUN --maps MAPS.npy --params PARAMS.txt --count 12 --no-dense

The last is for a run with nuisance parameters: what the posterior of the others takes, and that of all parameters at once.

Both sides have the same weights, the same map and one thread, and are run in turn in one process. Ours is what
`higlow_tf.inference` calls. The peer's loop takes as many points at once as `--peer-batch` says; the default tries several
and lets the peer have its quickest.
"""

import argparse
import time

import numpy as np
from speed_peers.paired import AGREEMENT
from speed_peers.problem import Problem

from higlow_tf.evaluation.speed_rows import limit_threads, summary, time_calls
from higlow_tf.evaluation.speed_tasks import synthetic_model

__all__ = ["compare", "infer_beside_dense", "main", "print_seconds_of_infer"]

PEER_BATCHES = (16, 64, 256)


def compare(preset, num_points, rounds, peer_batches=PEER_BATCHES, threads=1):
    """Runs the comparison.

    Args:
        preset: Name of a preset of `ConditionalGlow`.
        num_points: Points of the parameters.
        rounds: Paired measurements.
        peer_batches: Points that the peer takes at once; the quickest in one trial is kept.
        threads: Threads, and cores, of both sides.

    Returns:
        Dict: points a CPU second of both sides, ratio_cpu and ratio_wall as median, min and max, and peer_batch.

    Raises:
        RuntimeError: If the two sides do not compute the same numbers.
    """
    limit_threads(threads)
    model = synthetic_model(preset, {})
    ours, theirs = _our_task(model, num_points), _peer_task(model, num_points, threads)
    expected = ours()
    error = np.max(np.abs(theirs(64) - expected) / np.maximum(1.0, np.abs(expected)))
    if not error < AGREEMENT:
        raise RuntimeError(f"Expected both sides to agree on log_prob to {AGREEMENT}. Received: {error}.")
    trials = {batch: time_calls(lambda batch=batch: theirs(batch), 1)[0] for batch in peer_batches}
    batch = min(trials, key=trials.get)
    rows = np.array([[time_calls(ours, 1), time_calls(lambda: theirs(batch), 1)] for _ in range(rounds)])
    cpu, wall = rows[..., 0], rows[..., 1]
    return {
        "preset": preset,
        "points": num_points,
        "peer_batch": batch,
        "ours_points_per_cpu_s": num_points / float(np.median(cpu[:, 0])),
        "torch_points_per_cpu_s": num_points / float(np.median(cpu[:, 1])),
        "ratio_cpu": summary(cpu[:, 1] / cpu[:, 0]),
        "ratio_wall": summary(wall[:, 1] / wall[:, 0]),
    }


def infer_beside_dense(run, maps, params, count, points_per_axis=25):
    """Calibrated posteriors of maps of a run's test simulations by `infer`, beside those of a dense grid.

    Args:
        run: Folder of a calibrated run of two parameters.
        maps, params: Files of its data.
        count: Maps, one of each of so many test simulations.
        points_per_axis: Of the dense grid, edges included; a spline takes it to finer cells.

    Returns:
        Dict of arrays: `offset_sd` [count, 2], `sd_ratio` [count, 2], `num_evaluations` (of all copies together), `cpu_s`.
    """
    import higlow_tf as hg

    model, hi_maps = _model_and_maps(run, maps, params, count)
    calibration = hg.inference.Calibration.from_config(model.calibration)
    how = {"calibration": calibration, "warn_of_maps": False}
    hg.inference.infer(model, hi_maps[:1], **how)  # compiles
    rows = []
    for hi_map in hi_maps:
        start = time.process_time()
        posterior = hg.inference.infer(model, hi_map[None], **how)
        cpu_s = time.process_time() - start
        mean, sd = _dense_moments(model, hi_map, calibration, points_per_axis)
        num_evaluations = posterior.diagnostics["num_evaluations"][0] * calibration.num_symmetries
        rows.append(((posterior.mean[0] - mean) / sd, posterior.sd[0] / sd, num_evaluations, cpu_s))
    names = ("offset_sd", "sd_ratio", "num_evaluations", "cpu_s")
    return {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def print_seconds_of_infer(run, maps, params, count):
    """Prints CPU and wall seconds of posteriors of single maps, by the grid and by importance sampling of all parameters."""
    import higlow_tf as hg

    model, hi_maps = _model_and_maps(run, maps, params, count)
    methods = {
        "of interest, calibrated": {},
        "all parameters, raw": {"nuisance": (), "method": "importance", "calibration": None},
    }
    for name, options in methods.items():
        rows = []
        for hi_map in hi_maps:
            start, wall = time.process_time(), time.perf_counter()
            found = hg.inference.infer(model, hi_map[None], warn_of_maps=False, **options).diagnostics
            seconds = time.process_time() - start, time.perf_counter() - wall
            rows.append((*seconds, found["num_evaluations"][0], found.get("ess", [np.nan])[0]))
        for what, values in zip(("CPU s", "wall s", "evaluations", "effective draws"), np.transpose(rows), strict=True):
            text = f"{np.median(values):.1f} ({values.min():.1f}-{values.max():.1f})"
            print(f"{name}: {what} {text}", flush=True)


def _model_and_maps(run, maps, params, count):
    """The model of a run, and maps of so many of its test simulations."""
    import higlow_tf as hg

    run = hg.runs.open_run(run)
    test = run.data("test", maps, params)
    first = np.unique(test.simulation, return_index=True)[1]
    return run.model, np.asarray(test.maps[first[np.linspace(0, len(first) - 1, count).astype(int)]])


def _dense_moments(model, hi_map, calibration, points_per_axis):
    from scipy.interpolate import RectBivariateSpline

    from higlow_tf.inference.likelihood import MapLikelihood

    nodes, cells = np.linspace(-1.0, 1.0, points_per_axis), (np.arange(400) + 0.5) / 200 - 1.0
    points = np.stack([axis.ravel() for axis in np.meshgrid(nodes, nodes, indexing="ij")], axis=-1)
    likelihood = MapLikelihood(model, hi_map, 0, calibration.num_symmetries)
    values = likelihood(model.parameters.denormalize(points)).reshape(points_per_axis, points_per_axis)
    log_density = calibration.tempering * RectBivariateSpline(nodes, nodes, values)(cells, cells)
    mass = np.exp(log_density - log_density.max())
    marginals = [mass.sum(axis=1) / mass.sum(), mass.sum(axis=0) / mass.sum()]
    theta = model.parameters.denormalize(np.stack([cells, cells], axis=-1)).T
    mean = np.array([weight @ values for weight, values in zip(marginals, theta, strict=True)])
    variance = [weight @ (values - m) ** 2 for weight, values, m in zip(marginals, theta, mean, strict=True)]
    return mean, np.hypot(np.sqrt(variance), calibration.widening_of(2))


def _print_dense(result):
    offset, ratio = result["offset_sd"], result["sd_ratio"]
    print(f"{len(offset)} maps, calibrated posteriors of infer beside those of the dense grid")
    print(f"mean off by {np.sqrt(np.mean(offset**2)):.4f} sd (rms), {np.abs(offset).max():.4f} (largest)")
    print(f"sd over that of the dense grid {ratio.min():.4f}-{ratio.max():.4f}")
    for name in ("num_evaluations", "cpu_s"):
        values = result[name]
        print(f"{name} a map: mean {values.mean():.2f}, {values.min():.2f}-{values.max():.2f}")


def _problem(model, num_points):
    """One map `[H, W]` and points `[G, P]`."""
    rng = np.random.default_rng(0)
    hi_map = 10.0 ** rng.normal(6.5, 0.4, (model.map_size, model.map_size))
    return hi_map.astype(np.float32), model.parameters.sample_uniform(num_points, seed=0).astype(np.float32)


def _our_task(model, num_points):
    from higlow_tf.inference.likelihood import MapLikelihood

    hi_map, theta = _problem(model, num_points)
    return lambda: MapLikelihood(model, hi_map, 0)(theta)


def _peer_task(model, num_points, threads):
    import torch
    from speed_peers.torch_programs import torch_peer

    peer = torch_peer(Problem.of_model(model, num_points, threads))
    hi_map, theta = (torch.from_numpy(array) for array in _problem(model, num_points))

    @torch.inference_mode()
    def loop(batch):
        chunks = theta.split(batch)
        return torch.cat([peer.log_prob(hi_map.expand(len(rows), 1, -1, -1), rows) for rows in chunks]).numpy()

    return loop


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="compact")
    parser.add_argument("--points", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-batch", type=int, help="points that the peer takes at once")
    parser.add_argument("--run", help="a calibrated run: compare infer with a dense grid on its test maps")
    parser.add_argument("--maps")
    parser.add_argument("--params")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--no-dense", action="store_true", help="time infer alone, without a dense grid beside it")
    arguments = parser.parse_args()
    if arguments.run is not None and arguments.no_dense:
        print_seconds_of_infer(arguments.run, arguments.maps, arguments.params, arguments.count)
        return
    if arguments.run is not None:
        _print_dense(infer_beside_dense(arguments.run, arguments.maps, arguments.params, arguments.count))
        return
    batches = PEER_BATCHES if arguments.peer_batch is None else (arguments.peer_batch,)
    result = compare(arguments.preset, arguments.points, arguments.rounds, batches)
    print("{preset}, {points} points, one map, one thread; the peer takes {peer_batch} at once".format(**result))
    print("points a CPU second: ours {ours_points_per_cpu_s:.0f}, torch {torch_points_per_cpu_s:.0f}".format(**result))
    for name in ("ratio_cpu", "ratio_wall"):
        print(name, "{median:.2f} ({min:.2f}-{max:.2f})".format(**result[name]))


if __name__ == "__main__":
    main()
