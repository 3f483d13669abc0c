"""Maps of a suite that is not finished yet: they survive a kill."""

import hashlib
import io
import json
import os
import shutil
import warnings

from higlow_tf.data.suite_files import write_maps_header
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.files import whole_path

__all__ = ["PartialMaps"]


class PartialMaps:
    """Maps in a hidden file beside their target, and the card of their settings, which identifies them.

    Maps are appended in the order of the simulations, and the checksum of each simulation, a line, to a file of its own. The
    maps that agree with their checksums are whole.

    Args:
        maps_path: Path of the finished maps.
        card_path: Path of the card.
        card: JSON-compatible settings of the call; has `simulations`, `maps_per_simulation` and `map_size`.
    """

    def __init__(self, maps_path, card_path, card):
        self.maps_path, self.card_path = maps_path, card_path
        self._maps = maps_path.with_name(f".{maps_path.stem}.partial.npy")
        self._card = maps_path.with_name(f".{maps_path.stem}.partial.json")
        self._sums = maps_path.with_name(f".{maps_path.stem}.partial.sha256")
        self._settings = card
        header = io.BytesIO()
        write_maps_header(header, card["simulations"] * card["maps_per_simulation"], card["map_size"])
        self._header = header.getvalue()
        self._bytes_per_simulation = 4 * card["maps_per_simulation"] * card["map_size"] ** 2

    def exists(self):
        """Whether an earlier call was interrupted."""
        return self._card.exists()

    def begin(self):
        """Starts from the beginning. What an earlier call left is removed."""
        with whole_path(self._card) as part:
            part.write_text(json.dumps(self._settings, indent=2) + "\n", encoding="utf-8")
            self._maps.unlink(missing_ok=True)
            self._sums.unlink(missing_ok=True)

    def num_done(self):
        """Number of simulations that an interrupted call has finished.

        Raises:
            InputError: If that call had other settings, or its maps do not begin as such maps do.

        Warns:
            InputWarning: If maps are not those that were written: they, and those after them, are made again.
        """
        try:
            found = json.loads(self._card.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self._card}: expected the settings of the interrupted call. Received: {error}."
            ) from None
        for key, value in self._settings.items():
            if found.get(key) != value:
                raise InputError(
                    f"{self._card}: expected {key} of the interrupted call, {found.get(key)!r}. Received: {value!r}."
                )
        if not self._maps.exists():
            return 0
        with open(self._maps, "rb") as file:
            if not self._header.startswith(file.read(len(self._header))):
                raise InputError(
                    f"{self._maps}: expected the beginning of maps of these settings, or --overwrite to start again. "
                    "Received: another beginning."
                )
            sums = self._sums.read_bytes().split() if self._sums.exists() else []
            for number, expected in enumerate(sums):
                maps = file.read(self._bytes_per_simulation)
                if _checksum(maps) != expected:
                    warnings.warn(
                        f"{self._maps}: has not the maps that were written, from simulation {number} on. They are made again.",
                        InputWarning,
                        stacklevel=2,
                    )
                    return number
        return len(sums)

    def append(self, results, num_done, progress=None):
        """Appends the maps of simulations to the first `num_done`. If a kill left half a simulation, this is cut off.

        Raises:
            InputError: If the operating system refuses; what was written stays.
        """
        try:
            with open(self._maps, "ab") as file, open(self._sums, "ab") as sums:
                file.truncate(len(self._header) + num_done * self._bytes_per_simulation if num_done else 0)
                sums.truncate(num_done * len(_checksum(b"") + b"\n"))
                if not num_done:
                    file.write(self._header)
                for count, maps in enumerate(results, start=num_done + 1):
                    content = maps.astype("<f4", copy=False).tobytes()
                    file.write(content)
                    file.flush()
                    sums.write(_checksum(content) + b"\n")
                    sums.flush()
                    if progress is not None:
                        progress("simulations", count, self._settings["simulations"])
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"{self._maps}: expected to be able to write it; what is done is kept for resume. Received: {reason}."
            ) from error

    def check_complete(self):
        """Refuses maps that are not of the size that their head declares, before they get their name.

        Raises:
            InputError: If somebody else has written into the file.
        """
        expected = len(self._header) + self._settings["simulations"] * self._bytes_per_simulation
        found = self._maps.stat().st_size
        if found != expected:
            raise InputError(f"{self._maps}: expected {expected} bytes of finished maps. Received: {found}.")

    def publish(self):
        """Gives the finished maps and their card their names, the maps last. If it is stopped, resuming continues."""
        with whole_path(self.card_path) as part:
            shutil.copyfile(self._card, part)
        os.replace(self._maps, self.maps_path)
        self._sums.unlink()
        self._card.unlink()


def _checksum(content):
    return hashlib.sha256(content).hexdigest().encode()
