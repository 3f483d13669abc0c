"""Which processes train together, as the environment says: TF_CONFIG, or the tasks of Slurm."""

import json
import os
import signal
import threading

import tensorflow as tf

from higlow_tf.errors import InputError

__all__ = ["cluster_of_environment", "join_workers", "place_in_cluster"]

# A task of Slurm listens on the first port plus its number on its node; jobs on one node must not meet.
_FIRST_PORT, _NUM_PORTS, _TASKS_A_NODE = 20_000, 40_000, 16


def cluster_of_environment():
    """The processes that the environment names: TF_CONFIG, or the tasks of a Slurm step.

    Returns:
        (cluster resolver of TensorFlow, number of this process, addresses), or None for a process alone.

    Raises:
        InputError: If TF_CONFIG cannot be read, or gives this process another role than chief or worker.
    """
    if os.environ.get("TF_CONFIG"):
        resolver = _tf_config_resolver()
    elif int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in os.environ:
        resolver = _slurm_resolver()
    else:
        return None
    index, addresses = place_in_cluster(resolver.cluster_spec(), resolver.task_type, resolver.task_id)
    return (resolver, index, addresses) if len(addresses) > 1 else None


def join_workers():
    """The strategy of this process: several machines, all GPUs of this one, or one device. Waits until all workers are there.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        InputError: As `cluster_of_environment`; and if TensorFlow has already been used in this process of several.
    """
    cluster = cluster_of_environment()
    if cluster is None:
        gpus = tf.config.list_logical_devices("GPU")
        return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=cluster[0])
    except RuntimeError as error:
        raise InputError(
            "Training with other workers: expected a process in which TensorFlow has done nothing yet; give "
            f"strategy=, made first of all. Received: {str(error).splitlines()[0]}"
        ) from error
    # TensorFlow now takes SIGTERM for a notice that somebody may ask for, and the process would go on.
    if threading.current_thread() is threading.main_thread() and on_sigterm is not None:
        signal.signal(signal.SIGTERM, on_sigterm)
    return strategy


def _tf_config_resolver():
    try:
        content = json.loads(os.environ["TF_CONFIG"])
        cluster = tf.train.ClusterSpec(content.get("cluster", {}))
        task = content.get("task", {})
        found = cluster.task_address(task["type"], int(task["index"])) if cluster.jobs else None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            'TF_CONFIG: expected JSON such as {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", '
            f'"index": 0}}}}. Received: {os.environ["TF_CONFIG"][:200]} ({error}).'
        ) from error
    others = [name for name in cluster.jobs if name not in ("chief", "worker")]
    if others:
        raise InputError(f"TF_CONFIG: expected chief and worker. Received: {', '.join(others)}, at {found}.")
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _slurm_resolver():
    """TensorFlow's own resolver knows the addresses. It deals GPUs out as well, but needs nvidia-smi; Slurm does that itself."""
    variables = ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")
    missing = [name for name in variables if name not in os.environ]
    if missing:
        raise InputError(f"Tasks of Slurm: expected {missing[0]}, as srun sets it. Received: no such variable.")
    port = _FIRST_PORT + int(os.environ.get("SLURM_JOB_ID", 0)) * _TASKS_A_NODE % _NUM_PORTS
    slurm = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=port, gpus_per_node=_TASKS_A_NODE, gpus_per_task=1, auto_set_gpu=False
    )
    spec = slurm.cluster_spec()
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec,
        task_type=slurm.task_type,
        task_id=slurm.task_id,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )


def place_in_cluster(spec, task_type, task_id):
    """(number of a process, addresses of all): the chief comes first, if there is one; else worker 0 is the chief.

    Args:
        spec: `tf.train.ClusterSpec`.
        task_type, task_id: Role of the process, and its number in this role.
    """
    tasks = [(job, index) for job in ("chief", "worker") if job in spec.jobs for index in range(spec.num_tasks(job))]
    if not tasks:
        return 0, ()
    return tasks.index((task_type, task_id)), tuple(spec.task_address(*task) for task in tasks)
