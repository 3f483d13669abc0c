#!/bin/bash
# Trains on the GPUs of several nodes, and goes on after the queue has stopped it:
#
#     sbatch training/slurm.sh RUN --preset higlow --maps MAPS.npy --params PARAMS.txt --epochs 200
#
# RUN must lie on a file system that all nodes see. One task a node takes all GPUs of it.
#SBATCH --job-name=higlow
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -uo pipefail

if (($# == 0)); then
    echo "usage: sbatch $0 RUN [options of higlow train]" >&2
    exit 2
fi
run=$1
shift
if [[ -e $run/checkpoints/last.npz || -e $run/checkpoints/previous.npz ]]; then
    options=(--resume)
elif [[ -e $run/config.yaml ]]; then # it was stopped before its first checkpoint
    options=("$@" --overwrite)
else
    options=("$@")
fi

srun --kill-on-bad-exit=1 higlow train "${options[@]}" --out "$run"
code=$?
# 130: the queue has stopped it; 75: a node was lost. Both continue from the last checkpoint.
if ((code == 130 || code == 75)); then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
