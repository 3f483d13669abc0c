"""What pyproject.toml asks for, and what `make test-oldest` installs, are the same."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Packages that no requirement of ours names, in the release of the time of those that we name.
TRANSITIVE = {"pyparsing"}


def lower_bounds():
    """Numbers of the oldest release by package; ruff, which no test uses, is left out."""
    requirements = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    found = {re.match(r"[\w-]+", text)[0]: text for text in requirements if not text.startswith("ruff")}
    return {name: numbers(re.search(r"(?:>=|==)([\d.]+)", text)[1]) for name, text in found.items()}


def numbers(version):
    """A release without the zeros at its end: 2.19 and 2.19.0 are the same."""
    parts = [int(part) for part in version.strip(".").split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return parts


def test_the_oldest_releases_that_are_tested_are_the_lower_bounds():
    lines = (ROOT / "tests" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert {name: numbers(pin) for name, pin in pins.items() if name not in TRANSITIVE} == lower_bounds()
    assert set(pins) >= TRANSITIVE


def test_every_python_that_is_admitted_is_named():
    oldest, newest = (int(minor) for minor in re.findall(r"3\.(\d+)", PROJECT["requires-python"]))
    named = [text.rpartition(" :: ")[2] for text in PROJECT["classifiers"] if "Python :: 3." in text]
    assert named == [f"3.{minor}" for minor in range(oldest, newest)]
    assert sys.version_info >= (3, oldest)
