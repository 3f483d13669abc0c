"""What every program is given: an architecture, a batch, points of the parameters. Plain NumPy: no program loads another."""

import dataclasses
import json

import numpy as np

__all__ = ["NUM_POINTS", "Problem"]

NUM_POINTS = 1024
_LOG10_MEAN, _LOG10_SD = 6.5, 0.4


@dataclasses.dataclass(frozen=True)
class Problem:
    """An architecture and how it is run.

    Attributes:
        config: That of our model, as JSON holds it.
        batch_size: Maps a call; of the posterior, points at once.
        threads: Threads of the program.
        weights: Those of our model by name, or None where only memory matters.
    """

    config: dict
    batch_size: int
    threads: int
    weights: dict | None = None

    @classmethod
    def of_model(cls, model, batch_size, threads):
        """That of our model, with its weights."""
        weights = {variable.path.partition("/")[2]: variable.numpy() for variable in model.weights}
        return cls(json.loads(json.dumps(model.get_config())), batch_size, threads, weights)

    def to_json(self):
        """All but the weights."""
        return json.dumps({"config": self.config, "batch_size": self.batch_size, "threads": self.threads})

    @property
    def num_dimensions(self):
        """Pixels of a map, over all fields."""
        return self.config["map_size"] ** 2 * self.config["num_channels"]

    @property
    def width(self):
        """The one width of all levels.

        Raises:
            ValueError: If each level has its own.
        """
        if isinstance(self.config["width"], list):
            raise ValueError("takes one width for all levels")
        return self.config["width"]

    def maps(self):
        """Independent lognormal pixels `[N, H, W, C]`, float32."""
        size, channels = self.config["map_size"], self.config["num_channels"]
        pixels = np.random.default_rng(0).normal(_LOG10_MEAN, _LOG10_SD, (self.batch_size, size, size, channels))
        return (10.0**pixels).astype(np.float32)

    def standard_maps(self):
        """The same without units: log10 maps of mean 0 and sd 1."""
        return ((np.log10(self.maps()) - _LOG10_MEAN) / _LOG10_SD).astype(np.float32)

    def theta(self):
        """`[N, P]`, inside the prior."""
        return self._uniform(self.batch_size)

    def points(self):
        """`[NUM_POINTS, P]`, inside the prior."""
        return self._uniform(NUM_POINTS)

    def noise(self):
        """`[N, D]`, standard normal."""
        return np.random.default_rng(1).standard_normal((self.batch_size, self.num_dimensions)).astype(np.float32)

    def _uniform(self, count):
        low, high = (np.array([p[edge] for p in self.config["parameters"]]) for edge in ("low", "high"))
        unit = np.random.default_rng(2).uniform(0.1, 0.9, (count, len(low)))
        return (low + (high - low) * unit).astype(np.float32)
