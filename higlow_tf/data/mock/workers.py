"""Simulations in several processes, in their order."""

import concurrent.futures
import multiprocessing
import os
import signal
import threading

from higlow_tf.data.mock.simulation import simulate

__all__ = ["simulate_in_order"]


def simulate_in_order(tasks, processes):
    """Yields the maps of each task, in the order of the tasks, whichever finishes first.

    The processes are spawned, not forked: the caller may hold threads, of TensorFlow for example. A simulation uses one
    thread, and its maps do not depend on the process that makes them.

    Args:
        tasks: Keyword arguments of `simulate`, one dict a simulation.
        processes: Number of processes. With one, everything is done in this process.
    """
    processes = min(processes, len(tasks))
    if processes <= 1:
        yield from map(_run, tasks)
        return
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(processes, mp_context=context, initializer=_follow_parent)
    try:
        yield from pool.map(_run, tasks)
    finally:
        pool.shutdown(cancel_futures=True)


def _run(task):
    return simulate(**task)


def _follow_parent():
    """Leaves Ctrl-C to the parent process, and ends when the parent ends, also if the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def exit_after_parent():
        parent.join()
        os._exit(1)

    threading.Thread(target=exit_after_parent, daemon=True).start()
