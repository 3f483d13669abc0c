"""How docstrings become reStructuredText."""

import importlib.util

import pytest
from doc_pages import DOCS


def load(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / "_extensions" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docstrings = load("docstrings")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Mathematics is no markup, code is left alone, and a plural may follow it.
        ("log|s| is pull**2 of x_ and `a**b_`.", r"log\|s\| is pull\*\*2 of x\_ and `a**b_`."),
        ("two `Squeeze`s", r"two `Squeeze`\ s"),
        # What is aligned is literal.
        ("Forward:  y = x * s\nInverse:  x = y / s", "::\n\n    Forward:  y = x * s\n    Inverse:  x = y / s\n"),
        # Sections of formulas, too, but not prose.
        ("Math:\n    a = b*c\nMore.", "Math:\n    ::\n\n        a = b*c\n\nMore."),
        ("Units:\n    Maps a*b.", "Units:\n    Maps a\\*b.\n"),
        # A section may begin on the line of its name.
        ("Units: maps of b,\n    and more.", "**Units:** maps of b,\nand more.\n"),
        ("Definition: with\n    a = b", "**Definition:** with\n\n::\n\n    a = b\n"),
        (
            "References:\n    [1] A.\n        2020.\n    [2] B.",
            "References:\n    - [1] A.\n      2020.\n    - [2] B.\n",
        ),
        (">>> 2**3\n8", ">>> 2**3\n8"),
    ],
)
def test_what_becomes_of_a_docstring(text, expected):
    found = "\n".join(docstrings.as_restructured_text(text.split("\n")))
    assert found.rstrip("\n") == expected.rstrip("\n")


def test_the_drawing_shows_every_level_of_the_model():
    from higlow_tf.models import ConditionalGlow

    model = ConditionalGlow.from_preset("tiny")
    levels, step = load("architecture").draw_architecture(model).axes
    texts = [text.get_text() for text in levels.texts]
    assert sum("2 steps" in text for text in texts) == model.num_levels == 2
    assert sum(text.startswith("z") for text in texts) == 2
    assert any("4 x 8 x 8" in text for text in texts)
    assert any("coupling" in text.get_text() for text in step.texts)
