"""The site is built without a warning, and all links inside of it lead somewhere."""

import os
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from doc_pages import DOCS, ROOT

for name in ("furo", "myst_nb", "ray", "sphinx_copybutton"):
    pytest.importorskip(name, reason=f"{name} is not installed (pip install '.[docs]')")

pytestmark = pytest.mark.slow
COMMANDS = (
    "simulate",
    "train",
    "sample",
    "infer",
    "calibrate",
    "evaluate",
    "audit",
    "export",
    "serve",
    "client",
    "batch",
)


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of the site by path. Warnings are errors."""
    out = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "sphinx", "-E", "-W", "--keep-going", "-q", "-b", "html", "-d", str(out / "trees")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    built = subprocess.run([*call, str(DOCS), str(out / "html")], capture_output=True, text=True, env=environment)
    assert built.returncode == 0, built.stderr[-4000:]
    return {path: Page(path.read_text(encoding="utf-8")) for path in (out / "html").rglob("*.html")}


def test_links_and_anchors_are_there(site):
    wrong = []
    for path, page in site.items():
        for link in page.links:
            file, _, anchor = link.partition("#")
            if "://" in link or link.startswith(("mailto:", "data:")):
                continue
            target = (path.parent / unquote(file.partition("?")[0])).resolve() if file else path
            if not target.exists() or (anchor and unquote(anchor) not in site[target].anchors):
                wrong.append((path.name, link))
    assert not wrong


def test_it_loads_nothing_from_elsewhere(site):
    """It can be read without a network: scripts, styles and pictures lie in it."""
    for path in site:
        text = path.read_text(encoding="utf-8")
        for mark in ('<script src="http', '<link rel="stylesheet" type="text/css" href="http', '<img src="http'):
            assert mark not in text, path.name


def test_commands_and_docstrings_are_in_it(site):
    by_name = {path.as_posix().partition("/html/")[2]: page for path, page in site.items()}
    assert {f"higlow-{name}" for name in COMMANDS} <= by_name["generated/commands.html"].anchors
    for name in ("models.ConditionalGlow.sample", "inference.infer", "bijectors.AffineInjector", "serving.Client"):
        room = name.partition(".")[0]
        assert f"higlow_tf.{name}" in by_name[f"generated/api/{room}.html"].anchors
