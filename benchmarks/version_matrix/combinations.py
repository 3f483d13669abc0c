"""Which Pythons, TensorFlows and other packages belong together: read from pyproject.toml and tests/oldest.txt."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NEWEST", "OLDEST", "ROOT", "Combination", "all_combinations"]

ROOT = Path(__file__).parents[2]
OLDEST, NEWEST = "oldest", "newest"
# Of the same number as TensorFlow.
_NUMBERED_ALIKE = ("tensorflow", "tf_keras")


@dataclass(frozen=True)
class Combination:
    """One installation.

    Attributes:
        python: Such as "3.11".
        tensorflow: Such as "2.19".
        others: "oldest" or "newest": the releases of all other packages.
        oldest: Pins of the runtime packages in tests/oldest.txt, `name==number`.
    """

    python: str
    tensorflow: str
    others: str
    oldest: tuple = ()

    @property
    def name(self):
        """One word, for folders and for --only."""
        return f"py{self.python}-tf{self.tensorflow}-{self.others}"

    def requirements(self):
        """What pip is asked for beside the package: with these, it takes the newest of everything else."""
        if self.others == NEWEST:
            return [f"{package}=={self.tensorflow}.*" for package in _NUMBERED_ALIKE]
        pins = [pin for pin in self.oldest if pin.partition("==")[0] not in _NUMBERED_ALIKE]
        return [*(f"{package}=={self.tensorflow}.0" for package in _NUMBERED_ALIKE), *pins]


def all_combinations():
    """Every Python and TensorFlow that pyproject.toml admits, each with the oldest and the newest of the rest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tensorflow = next(text for text in project["dependencies"] if re.match(r"tensorflow[<>=]", text))
    pins = _runtime_pins(project, (ROOT / "tests" / "oldest.txt").read_text(encoding="utf-8"))
    return [
        Combination(python, release, others, pins)
        for python in _admitted(project["requires-python"])
        for release in _admitted(tensorflow)
        for others in (OLDEST, NEWEST)
    ]


def _admitted(text):
    """The minor releases of a range such as ">=2.19,<2.22"."""
    major, low = re.search(r">=(\d+)\.(\d+)", text).groups()
    high = re.search(rf"<{major}\.(\d+)", text)[1]
    return [f"{major}.{minor}" for minor in range(int(low), int(high))]


def _runtime_pins(project, oldest):
    """The lines of oldest.txt but those of packages that only tests need."""
    of_tests = {re.match(r"[\w-]+", text)[0] for text in project["optional-dependencies"]["test"]}
    pins = [line for line in oldest.splitlines() if line and not line.startswith("#")]
    return tuple(pin for pin in pins if pin.partition("==")[0] not in of_tests)
