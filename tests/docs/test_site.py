"""The site is built without a warning, and all links inside of it lead somewhere."""

import os
import re
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


NO_PROSE = ("code", "pre", "script", "style")


class Page(HTMLParser):
    """The links and the anchors of a page, its words that are no code, and its blocks of code by language."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.prose, self.blocks = [], set(), "", []
        self._inside = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in NO_PROSE:
            self._inside.append(tag)
        language = re.search(r"\bhighlight-(\S+)", found.get("class") or "")
        if language:
            self.blocks.append([language[1], ""])
        self.links += [found[name] for name in ("href", "src") if found.get(name)]
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}

    def handle_endtag(self, tag):
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.prose += data
        elif "pre" in self._inside and self.blocks:
            self.blocks[-1][1] += data


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


def test_nothing_of_the_markup_is_left_in_the_words(site):
    """Links that were not closed, and formulas in TeX, for which nothing is loaded. Signatures show defaults as they are."""
    for path, page in site.items():
        assert "](" not in page.prose, path.name
        assert path.parent.name == "api" or not re.search(r"\$[^$\n]*\\\w[^$\n]*\$|\$\w\([^$\n]*\$", page.prose), (
            path.name
        )


def test_options_can_be_copied(site):
    """Two hyphens would become a dash outside of code."""
    for path, page in site.items():
        assert not re.findall(r"\u2013[a-z].*", page.prose), path.name


def test_commands_are_blocks_whose_lines_go_on(site):
    blocks = [(kind, text) for page in site.values() for kind, text in page.blocks if kind != "myst-ansi"]  # an output
    assert {kind for kind, text in blocks if re.match(r"(higlow|pip|make) ", text)} == {"commands"}
    texts = [text for kind, text in blocks if kind == "commands"]
    assert any(text.startswith("higlow demo") for text in texts)
    assert all(text.endswith("\n") and "\n\n\n" not in text for text in texts)


def test_the_list_of_commands_has_whole_sentences(site):
    (page,) = [page for path, page in site.items() if path.name == "commands.html"]
    listed = page.prose.partition("Commands:")[2].partition("Usage")[0]
    sentences = re.findall(r"^: (.*)$", listed, re.MULTILINE)
    assert len(sentences) >= len(COMMANDS)
    assert all(sentence.endswith(".") and "\u2026" not in sentence for sentence in sentences)
