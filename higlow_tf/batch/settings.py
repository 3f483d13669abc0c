"""What a job computes: its task and the settings of the task."""

from dataclasses import asdict, dataclass

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["TASKS", "TaskSettings"]

TASKS = ("log_prob", "posterior", "sample")
# Points an axis of the grid of a posterior, by number of parameters, where the model has none of its own.
_POINTS_PER_AXIS = {1: 64, 2: 16, 3: 12}
_MAX_GRID_POINTS = 16384
# Rows of a part: some seconds of work for one core.
_PART_ROWS = {"log_prob": 512, "posterior": 32, "sample": 256}
_MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class TaskSettings:
    """The task and its settings. Two jobs with other settings never share a folder.

    Args:
        task: "log_prob", "posterior" or "sample".
        seed: Of `sample`: row i is drawn with the row seed (seed, i).
        temperature: Of `sample`: factor of the latents' standard deviation.
        points_per_axis: Of `posterior`: points of the grid along each parameter, centres of equal cells of the prior. None: the
            model's own grid; if it has none, or the grid is to be written, 64 for one parameter, 16 for two, 12 for three.
        with_grid: Of `posterior`: whether the log-likelihoods on the grid are written.
        part_rows: Rows of a part file. None: 512 densities, 32 posteriors, 256 maps.

    Raises:
        InputError: If one of them cannot be.
    """

    task: str
    seed: int = 0
    temperature: float = 1.0
    points_per_axis: int | None = None
    with_grid: bool = False
    part_rows: int | None = None

    def __post_init__(self):
        if self.task not in TASKS:
            raise InputError(f"--task: expected one of {', '.join(TASKS)}. Received: {self.task!r}.")
        if not 0 <= self.seed <= _MAX_SEED:
            raise InputError(f"--seed: expected a whole number from 0 to 2**63 - 1. Received: {self.seed}.")
        if not 0.0 <= self.temperature < float("inf"):
            raise InputError(f"--temperature: expected a number from 0 on. Received: {self.temperature}.")
        if self.part_rows is None:
            object.__setattr__(self, "part_rows", _PART_ROWS[self.task])
        if self.part_rows < 1:
            raise InputError(f"--part-rows: expected at least 1. Received: {self.part_rows}.")

    def theta_grid(self, model):
        """Points of equal prior mass, float32 `[G, P]`, on which the posterior is evaluated.

        Args:
            model: `ServedModel`.

        Returns:
            The grid; without points, `[0, P]`, where the model shall take its own.

        Raises:
            InputError: If there are too many points, or the model has no grid of its own and no number of points is known.
        """
        num_parameters = len(model.parameters)
        if self.points_per_axis is None and model.has_own_grid and not self.with_grid:
            return np.zeros((0, num_parameters), np.float32)
        points = self.points_per_axis or _POINTS_PER_AXIS.get(num_parameters)
        if points is None:
            raise InputError(
                f"--points: expected points an axis for a model of {num_parameters} parameters. Received: none."
            )
        if points < 2 or points**num_parameters > _MAX_GRID_POINTS:
            raise InputError(
                f"--points: expected 2 or more an axis, and at most {_MAX_GRID_POINTS} points in all. "
                f"Received: {points} for {num_parameters} parameters."
            )
        return model.parameters.cell_centres(points).astype(np.float32)

    def identity(self):
        """What the numbers of the task depend on, JSON-compatible: other settings of other tasks are left out."""
        of_task = {
            "log_prob": (),
            "posterior": ("points_per_axis", "with_grid"),
            "sample": ("seed", "temperature"),
        }[self.task]
        return {name: value for name, value in asdict(self).items() if name in ("task", "part_rows", *of_task)}
