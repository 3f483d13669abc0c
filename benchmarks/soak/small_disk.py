"""A disk of a chosen size: a file system in memory where it may be mounted, else a limit on the size of a file."""

import contextlib
import os
import resource
import subprocess
from pathlib import Path

__all__ = ["SmallDisk", "small_disk", "unmount_all"]

_ROOMY = 2**30
_PAGE = 4096


class SmallDisk:
    """A folder whose room can be limited; made by `small_disk`.

    Attributes:
        path: The folder.
        kind: "tmpfs", or "file size" where nothing may be mounted: then each file alone is limited.
    """

    def __init__(self, path, kind):
        self.path, self.kind = path, kind

    @contextlib.contextmanager
    def limited(self, num_bytes):
        """Inside this block no more than so many bytes fit beside what is there."""
        if self.kind == "tmpfs":
            state = os.statvfs(self.path)
            used = (state.f_blocks - state.f_bfree) * state.f_frsize
            # A size of 0 would mean no limit.
            self._resize(max(used + num_bytes // _PAGE * _PAGE, _PAGE))
            try:
                yield
            finally:
                self._resize(_ROOMY)
            return
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def _resize(self, num_bytes):
        subprocess.run(["mount", "-o", f"remount,size={num_bytes}", str(self.path)], check=True, capture_output=True)


@contextlib.contextmanager
def small_disk(folder):
    """Mounts a file system of its own on an empty folder, if this process may."""
    try:
        command = ["mount", "-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:  # a system without the command `mount`
        mounted = False
    try:
        yield SmallDisk(folder, "tmpfs" if mounted else "file size")
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def unmount_all(folder):
    """Unmounts the small disks below a folder that a killed process has left."""
    mounts = Path("/proc/mounts")
    lines = mounts.read_text(encoding="utf-8").splitlines() if mounts.exists() else []
    for kind, place in ((line.split()[0], line.split()[1]) for line in lines):
        if kind == "tmpfs" and Path(place).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", place], check=True, capture_output=True)
