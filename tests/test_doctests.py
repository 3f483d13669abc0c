"""The examples of the docstrings run, and answer what they say."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import higlow_tf as hg

PACKAGE = Path(hg.__file__).parent


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = [module_name(path) for path in sorted(PACKAGE.rglob("*.py")) if ">>>" in path.read_text()]


def failures(module):
    """The report of the examples of a module that fail, and how many examples ran."""
    names = {"tf": tf, "np": np, "hg": hg, **vars(module)}
    runner = doctest.DocTestRunner()
    report = []
    for test in doctest.DocTestFinder().find(module, extraglobs=names):
        runner.run(test, out=report.append)
    return "".join(report), runner.tries


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    report, num_examples = failures(importlib.import_module(name))
    assert num_examples > 0
    assert not report, report


def test_wrong_example_is_reported():
    module = type(doctest)("wrong_example", ">>> 1 + 1\n3\n")
    report, num_examples = failures(module)
    assert num_examples == 1
    assert "Expected:\n    3\nGot:\n    2" in report
