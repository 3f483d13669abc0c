"""Help texts: nothing of them is swallowed, every command has an example that can be called, and defaults are true."""

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

import higlow_tf
from higlow_tf.cli.app import app
from higlow_tf.models.presets import POSTERIOR_RECIPE, RECIPES
from higlow_tf.runs.config import TrainingConfig

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


def test_the_version_is_that_of_the_package():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout == f"higlow_tf {higlow_tf.__version__}\n"


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
