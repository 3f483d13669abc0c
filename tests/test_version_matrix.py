"""The version matrix: what it asks for is what pyproject.toml admits, and what cannot be had is told with its reason."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmarks.version_matrix.__main__ import main, run_combination
from benchmarks.version_matrix.combinations import NEWEST, OLDEST, all_combinations
from benchmarks.version_matrix.environments import NotToBeHadError, find_python, reason_of_pip
from benchmarks.version_matrix.table import BEGIN, END, put_into_page, table_of

RECORD = {"python": "3.11", "tensorflow": "2.19", "others": "oldest", "versions": {}, "steps": [], "reason": None}


def test_every_python_and_tensorflow_is_in_it_twice():
    found = {(one.python, one.tensorflow, one.others) for one in all_combinations()}
    assert len(found) == len(all_combinations())
    assert {python for python, *_ in found} == {"3.11", "3.12", "3.13"}
    assert {release for _, release, _ in found} == {"2.19", "2.20", "2.21"}
    assert len(found) == 3 * 3 * len((OLDEST, NEWEST))


def test_the_oldest_are_those_of_the_lower_bounds():
    oldest = next(one for one in all_combinations() if one.name == "py3.11-tf2.20-oldest")
    requirements = oldest.requirements()
    assert requirements[:2] == ["tensorflow==2.20.0", "tf_keras==2.20.0"]
    assert {"keras==3.13.0", "numpy==2.0.0", "filelock==3.12.0"} < set(requirements)
    assert not any(pin.startswith(("pytest", "hypothesis", "tensorflow==2.19")) for pin in requirements)
    newest = next(one for one in all_combinations() if one.name == "py3.13-tf2.21-newest")
    assert newest.requirements() == ["tensorflow==2.21.*", "tf_keras==2.21.*"]


def test_an_interpreter_is_found_or_missed():
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    done = subprocess.run([find_python(here), "-c", "import sys; print(sys.version)"], capture_output=True, text=True)
    assert done.stdout.startswith(here)
    with pytest.raises(NotToBeHadError, match=r"no Python 3\.99 "):
        find_python("3.99")


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement tensorflow==2.19.* (from versions: 2.20.0)\n"
            "ERROR: No matching distribution found for tensorflow==2.19.*\n",
            "no tensorflow 2.19.* for this Python",
        ),
        (
            "The conflict is caused by:\n    The user requested numpy==2.0.0\n    numba 0.63 depends on numpy>=2.1\n\n"
            "ERROR: ResolutionImpossible: for help visit a page\n",
            "pip finds no set of packages: The user requested numpy==2.0.0; numba 0.63 depends on numpy>=2.1",
        ),
        ("a word\nERROR: Could not install packages\n", "Could not install packages"),
        ("killed\n", "killed"),
        ("", "pip failed"),
    ],
)
def test_the_reason_of_pip(stderr, reason):
    assert reason_of_pip(stderr) == reason


def test_what_cannot_be_had_is_a_row(tmp_path, monkeypatch):
    def refuse(python, folder, wheel, requirements):
        raise NotToBeHadError(f"no {requirements[0]}")

    one = next(one for one in all_combinations() if one.others == NEWEST)
    monkeypatch.setattr("benchmarks.version_matrix.__main__.make_environment", refuse)
    monkeypatch.setattr("benchmarks.version_matrix.__main__.find_python", lambda version: sys.executable)
    record = run_combination(one, tmp_path, tmp_path / "wheel")
    assert (record["status"], record["reason"]) == ("not to be had", "no tensorflow==2.19.*")
    assert "| 3.11 | 2.19 | newest | - | - | not to be had: no tensorflow==2.19.* |" in table_of([record])


@pytest.mark.parametrize(
    ("printed", "status", "reason"),
    [
        ('  1.0 s  imports\n{"failed": null, "reason": null, "steps": ["imports"]}', "passed", None),
        ('{"failed": "train", "reason": "ValueError: no", "steps": []}', "failed", "ValueError: no"),
        ("", "failed", "Segmentation fault"),
    ],
)
def test_what_the_chain_says_is_recorded(tmp_path, monkeypatch, printed, status, reason):
    done = SimpleNamespace(stdout=printed, stderr="Segmentation fault\n")
    monkeypatch.setattr("benchmarks.version_matrix.__main__.make_environment", lambda *_: sys.executable)
    monkeypatch.setattr("benchmarks.version_matrix.__main__.find_python", lambda version: sys.executable)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: done)
    record = run_combination(all_combinations()[0], tmp_path, tmp_path / "wheel")
    assert (record["status"], record["reason"]) == (status, reason)


def test_rows_of_the_table():
    versions = {"tensorflow": "2.19.1", "keras": "3.13.0", "numpy": "2.0.0"}
    passed = {**RECORD, "status": "passed", "versions": versions, "steps": ["a", "b"]}
    failed = {**RECORD, "status": "failed", "failed": "train", "reason": "ValueError: a | b"}
    lines = table_of([passed, failed, {**RECORD, "status": "not run"}]).splitlines()
    assert lines[2] == "| 3.11 | 2.19.1 | oldest | 3.13.0 | 2.0.0 | passed, 2 steps |"
    assert lines[3] == r"| 3.11 | 2.19 | oldest | - | - | **fails** at train: ValueError: a \| b |"
    assert lines[4] == "| 3.11 | 2.19 | oldest | - | - | not run |"


def test_the_table_takes_its_place_on_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_into_page(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n{END}\nafter\n"
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="expected the marks"):
        put_into_page(page, "new")


def test_the_names_are_listed(capsys):
    assert main(["--list", "--only", "py3.12-tf2.20", "--only", "py3.11-tf2.21-new"]) == 0
    assert capsys.readouterr().out.split() == ["py3.11-tf2.21-newest", "py3.12-tf2.20-oldest", "py3.12-tf2.20-newest"]


def test_a_matrix_goes_on_and_lists_all(tmp_path, monkeypatch, capsys):
    calls = []

    def run(one, work, wheel):
        calls.append(one.name)
        (work / "environment").mkdir()
        return {**RECORD, "tensorflow": one.tensorflow, "status": "not to be had", "reason": "a reason"}

    monkeypatch.setattr("benchmarks.version_matrix.__main__.run_combination", run)
    monkeypatch.setattr("benchmarks.version_matrix.__main__.build_wheel", lambda *_: None)
    arguments = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "table.md"), "--only", "py3.11-tf2.2"]
    assert main(arguments) == 0
    assert main([*arguments[:-1], "py3.11"]) == 0
    assert len(calls) == len(set(calls)) == 6
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["records"]
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert sum("not to be had: a reason" in line for line in lines) == 6
    assert sum("| not run |" in line for line in lines) == len(all_combinations()) - 6
    assert lines[0] in capsys.readouterr().out
