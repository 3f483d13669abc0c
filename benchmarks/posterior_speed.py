"""Speed of a posterior: the likelihood of one map at many points, beside a loop over the PyTorch peer's log_prob.

    python benchmarks/posterior_speed.py --preset compact --points 1024 --rounds 5

Both sides have the same weights, the same map and one thread, and are run in turn in one process. Ours is what
`higlow_tf.inference` calls. The peer's loop takes as many points at once as `--peer-batch` says; the default tries several
and lets the peer have its quickest.
"""

import argparse

import numpy as np
from compare_with_torch import AGREEMENT, _limit_threads, _measure, _summary, build_ours, build_torch

__all__ = ["compare", "main"]

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
    _limit_threads(threads)
    model = build_ours(preset, threads)
    ours, theirs = _our_task(model, num_points), _peer_task(model, num_points, threads)
    expected = ours()
    error = np.max(np.abs(theirs(64) - expected) / np.maximum(1.0, np.abs(expected)))
    if not error < AGREEMENT:
        raise RuntimeError(f"Expected both sides to agree on log_prob to {AGREEMENT}. Received: {error}.")
    trials = {batch: _measure(lambda batch=batch: theirs(batch), 1)[0] for batch in peer_batches}
    batch = min(trials, key=trials.get)
    rows = np.array([[_measure(ours, 1), _measure(lambda: theirs(batch), 1)] for _ in range(rounds)])
    cpu, wall = rows[..., 0], rows[..., 1]
    return {
        "preset": preset,
        "points": num_points,
        "peer_batch": batch,
        "ours_points_per_cpu_s": num_points / float(np.median(cpu[:, 0])),
        "torch_points_per_cpu_s": num_points / float(np.median(cpu[:, 1])),
        "ratio_cpu": _summary(cpu[:, 1] / cpu[:, 0]),
        "ratio_wall": _summary(wall[:, 1] / wall[:, 0]),
    }


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

    weights = {variable.path.partition("/")[2]: variable.numpy() for variable in model.weights}
    peer = build_torch(model.get_config(), threads, weights)
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
    arguments = parser.parse_args()
    batches = PEER_BATCHES if arguments.peer_batch is None else (arguments.peer_batch,)
    result = compare(arguments.preset, arguments.points, arguments.rounds, batches)
    print("{preset}, {points} points, one map, one thread; the peer takes {peer_batch} at once".format(**result))
    print("points a CPU second: ours {ours_points_per_cpu_s:.0f}, torch {torch_points_per_cpu_s:.0f}".format(**result))
    for name in ("ratio_cpu", "ratio_wall"):
        print(name, "{median:.2f} ({min:.2f}-{max:.2f})".format(**result[name]))


if __name__ == "__main__":
    main()
