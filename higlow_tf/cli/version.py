"""What `higlow --version` says: the version, those of the packages below, and the devices that TensorFlow finds."""

import platform
import sys

from higlow_tf.cli.console import load_tensorflow, quiet_libraries, say
from higlow_tf.devices import device_text, gpu_names
from higlow_tf.versions import version, versions

__all__ = ["say_version"]


def say_version():
    """Prints the version at once, and what takes TensorFlow's import after it. A script reads the first line."""
    say(f"higlow_tf {version()}")
    others = {name: number for name, number in versions().items() if name != "higlow_tf"}
    packages = {"Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}", **others}
    for name, number in packages.items():
        say(f"{name} {number}")
    sys.stdout.flush()
    quiet_libraries()
    say(f"devices: {_devices()}")


def _devices():
    try:
        load_tensorflow()
        return device_text(gpu_names())
    except Exception as error:  # a broken installation is what one asks the versions for
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"not known, TensorFlow cannot be loaded ({reason})"
