"""What pyproject.toml asks for, what `make test-oldest` installs, and what a distribution says: as far as nothing is built."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
CONTENT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, REPOSITORY = CONTENT["project"], CONTENT["tool"]["higlow_tf"]["repository"]
PACKAGE = ROOT / "higlow_tf"
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


def test_the_extra_for_gpus_asks_for_the_same_tensorflow():
    (of_package,) = (text for text in PROJECT["dependencies"] if re.match(r"tensorflow[<>=]", text))
    assert PROJECT["optional-dependencies"]["cuda"] == [
        f"{of_package.replace('tensorflow', 'tensorflow[and-cuda]')}; sys_platform == 'linux'"
    ]


@pytest.fixture
def setup_script(monkeypatch):
    """The names of setup.py, and the arguments that it gives to setuptools."""
    given = {}
    monkeypatch.setitem(sys.modules, "setuptools", SimpleNamespace(setup=lambda **arguments: given.update(arguments)))
    names = runpy.run_path(str(ROOT / "setup.py"))
    return SimpleNamespace(**names, given=given)


def test_addresses_are_made_from_the_one_of_the_repository(setup_script):
    assert set(PROJECT["dynamic"]) == {"readme", "urls"}
    assert set(setup_script.given["project_urls"]) >= {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(REPOSITORY) for url in setup_script.given["project_urls"].values())
    pages = [ROOT / "CITATION.cff", *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *PACKAGE.rglob("*.py")]
    assert [page for page in pages if REPOSITORY in page.read_text(encoding="utf-8")] == []


def test_links_of_the_readme_work_on_a_package_index(setup_script):
    text = setup_script.given["long_description"]
    outside_of_code = "".join(setup_script.CODE.split(text)[::2])
    targets = re.findall(r"\]\(([^)\s]+)\)", outside_of_code)
    assert len(targets) > 10
    assert all(re.match(r"https?://|#", target) for target in targets)
    images = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", outside_of_code)
    assert images
    for image in images:
        assert (ROOT / image.removeprefix(f"{REPOSITORY}/raw/HEAD/")).is_file()
    assert setup_script.given["long_description_content_type"] == "text/markdown"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](docs/a.md#b)", f"[a]({REPOSITORY}/blob/HEAD/docs/a.md#b)"),
        ("![a](docs/a.png)", f"![a]({REPOSITORY}/raw/HEAD/docs/a.png)"),
        ("[![a](a.png)](a.md)", f"[![a]({REPOSITORY}/raw/HEAD/a.png)]({REPOSITORY}/blob/HEAD/a.md)"),
        ('<img width="9" src="a.png">', f'<img width="9" src="{REPOSITORY}/raw/HEAD/a.png">'),
        ("[a](https://a.b) [b](#c) [c](mailto:d)", "[a](https://a.b) [b](#c) [c](mailto:d)"),
        ("```python\nx[0](y)\n```\n", "```python\nx[0](y)\n```\n"),
    ],
)
def test_links_become_absolute(setup_script, text, expected):
    assert setup_script.absolute(text) == expected


def test_nothing_of_the_package_is_left_out_of_the_wheel():
    # Python and Numba keep what they have compiled beside the sources.
    paths = [path for path in PACKAGE.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    files = [path.relative_to(PACKAGE) for path in paths]
    assert [path.as_posix() for path in files if path.suffix != ".py"] == ["py.typed"]
    assert CONTENT["tool"]["setuptools"]["package-data"] == {"higlow_tf": ["py.typed"]}
    folders = {path.parent for path in files if path.suffix == ".py"}
    assert {folder for folder in folders if not (PACKAGE / folder / "__init__.py").is_file()} == set()


def test_every_folder_of_the_checkout_is_in_a_source_distribution():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a checkout of git")
    folders = {name.split("/")[0] for name in done.stdout.splitlines() if "/" in name and not name.startswith(".")}
    lines = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    grafted = {line.split()[1] for line in lines if line.startswith("graft ")}
    assert grafted == folders - {"higlow_tf"}
