"""The other flows of a run's ensemble, on disk beside it."""

from pathlib import Path

__all__ = ["Companions", "member_folder"]


def member_folder(run, number):
    """Folder of a flow of an ensemble: that of the run for number 1; in it `member_2`, `member_3` and so on for the others."""
    return Path(run) if number == 1 else Path(run) / f"member_{number}"


class Companions:
    """The flows beside the first one of an ensemble. Each is loaded when it is asked for, and once.

    Args:
        run: Folder of the first flow.
        load: `load_model`.
    """

    def __init__(self, run, load):
        self._run = Path(run)
        self._load = load
        self._flows = []

    def count(self):
        """How many flows there are, without the first: those with a model and without a gap before them."""
        number = 2
        while (member_folder(self._run, number) / "model.keras").exists():
            number += 1
        return number - 2

    def load(self, count):
        """The first `count` of them, or all if there are fewer."""
        while len(self._flows) < min(count, self.count()):
            self._flows.append(self._load(member_folder(self._run, len(self._flows) + 2)))
        return tuple(self._flows[:count])
