"""Help texts: nothing of them is swallowed, every command has an example that can be called, and defaults are true."""

import platform
import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

import higlow_tf
from higlow_tf.cli.app import app
from higlow_tf.devices import device_text, gpu_names
from higlow_tf.models.presets import POSTERIOR_RECIPE, RECIPES
from higlow_tf.runs.config import TrainingConfig
from higlow_tf.versions import versions

GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)
# So wide that no text is wrapped.
WIDE = {"COLUMNS": "500"}


def words(text):
    """The letters, digits and signs of a text, without lines, boxes and white space."""
    return re.sub(r"[\s│╭╮╰╯─]", "", text)


def help_of(*arguments):
    result = CliRunner().invoke(app, [*arguments, "--help"], env=WIDE)
    assert result.exit_code == 0
    return result.stdout


def examples(name):
    """The lines of the help of a command that begin with its name, as lists of arguments."""
    text = " ".join((GROUP.commands[name].callback.__doc__).split())
    found = re.findall(rf"(?:Example|Example, [^:]*|Then, [^:]*): (higlow {name} .*?)(?= Then,|$)", text)
    return [shlex.split(example)[2:] for example in found]


def test_help_names_every_command():
    text = help_of()
    assert all(name in text for name in COMMANDS)


def test_the_version_is_that_of_the_package_and_those_of_others_follow():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    first, python, *others, devices = result.stdout.splitlines()
    assert first == f"higlow_tf {higlow_tf.__version__}"
    assert python.startswith(f"Python {platform.python_version()} on ")
    expected = {name: number for name, number in versions().items() if name != "higlow_tf"}
    assert {"keras", "numpy", "tensorflow-probability"} < set(expected)
    assert dict(line.split() for line in others) == expected
    assert devices == f"devices: {device_text(gpu_names())}"


def test_devices_in_words():
    assert device_text(["B", "A", "B"]) == "3 GPUs (A, B)"
    assert device_text(["A"]) == "1 GPU (A)"
    assert re.fullmatch(r"the CPU, (1 core|\d+ cores)", device_text([]))


def test_the_version_is_said_where_tensorflow_cannot_be_loaded(monkeypatch):
    def fail():
        raise ImportError("libcudart.so.12: no such file\nand more")

    monkeypatch.setattr("higlow_tf.cli.version.load_tensorflow", fail)
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"higlow_tf {higlow_tf.__version__}\n")
    assert result.stdout.endswith("devices: not known, TensorFlow cannot be loaded (libcudart.so.12: no such file)\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_a_help_text_is_swallowed(name):
    shown = words(help_of(name))
    assert words(GROUP.commands[name].callback.__doc__) in shown
    for parameter in GROUP.commands[name].params:
        assert words(parameter.help) in shown, parameter.name
        if isinstance(parameter.show_default, str):
            assert words(f"[default:({parameter.show_default})]") in shown, parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_can_be_called(name):
    assert examples(name)
    for arguments in examples(name):
        context = GROUP.commands[name].make_context(name, list(arguments))
        assert not context.args


def test_a_text_that_markup_swallows_is_noticed():
    swallowing = typer.Typer(rich_markup_mode="rich")

    @swallowing.command()
    def count(number: int = typer.Option(1, help="Maps. [bold] of them.")):
        """Count."""

    shown = CliRunner().invoke(swallowing, ["--help"], env=WIDE).stdout
    assert words("Maps. [bold] of them.") not in words(shown)


def test_the_defaults_that_the_help_of_train_names_are_those_of_the_code():
    shown = {parameter.name: parameter.show_default for parameter in GROUP.commands["train"].params}
    default = TrainingConfig()
    assert shown["epochs"] == str(default.epochs)
    assert set(RECIPES) == {"compact", "tiny"}
    quick = RECIPES["compact"]
    assert RECIPES["tiny"] == quick
    for key in ("batch_size", "learning_rate"):
        second = POSTERIOR_RECIPE[key]
        assert (
            shown[key] == f"{quick[key]} compact and tiny, {getattr(default, key)} others, {second} --stage posterior"
        )
