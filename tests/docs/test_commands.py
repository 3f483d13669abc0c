"""Every command of README and documentation is one that the program takes."""

import pytest
import typer
from doc_pages import PAGES, ROOT, commands

from higlow_tf.cli.app import app

GROUP = typer.main.get_command(app)


def check(arguments):
    """Raises what the program would say about these words; nothing is computed."""
    name, *rest = [word for word in arguments if word != "--debug"]
    if name != "--version":
        GROUP.commands[name].make_context(name, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_program_takes_the_commands_of_a_page(page):
    whole, inline = commands(page)
    for arguments in whole:
        check(arguments)
    for arguments in inline:
        # A mention may leave out what is required, but names no option that there is not.
        name, *rest = arguments
        known = {
            option for parameter in GROUP.commands[name].params for option in parameter.opts + parameter.secondary_opts
        }
        assert {word for word in rest if word.startswith("--")} <= known | {"--help"}, arguments


@pytest.mark.parametrize("words", ["infer RUN --mapz M.npy --out P.h5", "infer RUN --out P.h5", "sample RUN --count x"])
def test_a_command_that_there_is_not_is_noticed(words):
    with pytest.raises(Exception, match="No such option|Missing parameter|valid integer"):
        check(words.split())
