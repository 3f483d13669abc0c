"""The page: one file, escaped, whole or not there."""

import base64
import os
import struct
from html.parser import HTMLParser

import pytest

from higlow_tf.errors import InputError
from higlow_tf.evaluation.verdict import VerdictRow
from higlow_tf.plotting import STYLE
from higlow_tf.reports import write_calibration, write_evaluation
from higlow_tf.reports.page import Page

VOID_TAGS = {"meta", "img", "br", "hr", "link", "input"}


class ParsedPage(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def a_figure():
    figure, ax = STYLE.new_figure(size_in=(2.0, 1.5))
    ax.plot([0, 1], [0, 1])
    return figure


def a_page():
    return (
        Page("Demo <run>", "mock & maps")
        .verdict([VerdictRow("Density", "-0.6", "nats per pixel"), VerdictRow("Coverage", "66 %", "calibrated: 68 %")])
        .section("Maps", "First <script>alert(1)</script>.\n\nSecond.")
        .figure(a_figure(), "Caption <b>.", 'Alt "text"')
        .table(["name", "value"], [["a", 1], ["b", 2.5]])
        .provenance({"seed": 0, "hash": "ab" * 32})
    )


def test_page_is_well_formed_and_holds_everything_in_order():
    page = ParsedPage(a_page().html())
    text = [part for part in page.text if part]
    for part in ("Demo <run>", "mock & maps", "First <script>alert(1)</script>.", "Second.", "Caption <b>.", "2.5"):
        assert part in text
    order = [text.index(part) for part in ("mock & maps", "Density", "Maps", "Caption <b>.", "name", "Provenance")]
    assert order == sorted(order)
    assert page.all("html")[0]["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))
    assert len(page.all("h1")) == 1


def test_picture_lies_inside_and_has_its_size_and_alternative_text():
    (image,) = ParsedPage(a_page().html()).all("img")
    head, data = image["src"].split(",")
    assert head == "data:image/png;base64"
    picture = base64.b64decode(data, validate=True)
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (int(image["width"]), int(image["height"]))
    assert image["alt"] == 'Alt "text"'


def test_page_needs_nothing_else():
    page = ParsedPage(a_page().html())
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert all(attributes.get("src", "data:").startswith("data:") for _, attributes in page.tags)
    html = a_page().html()
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_figure_is_emptied():
    figure = a_figure()
    Page("x").figure(figure, "caption", "alt")
    assert figure.axes == []


def test_panels_that_share_a_logarithmic_axis_are_emptied():
    figure, panels = STYLE.new_figure(2, 1, size_in=(2.0, 1.5), share_x=True)
    for panel in panels:
        panel.plot([1, 2], [1, 2])
    panels[0].set_xscale("log")
    Page("x").figure(figure, "caption", "alt")
    assert figure.axes == []


def test_verdict_words_floors_and_an_alert_stand_on_top():
    rows = [VerdictRow("P(k)", "0.77 ± 0.05", "worst bin", "off", "0.07"), VerdictRow("Density", "-0.6", "lower")]
    page = ParsedPage(Page("x", "sub").verdict(rows, "One.\n\nTwo.").alert("3 maps <bad>").section("Maps").html())
    text = [part for part in page.text if part]
    order = [text.index(part) for part in ("3 maps <bad>", "sub", "One.", "Two.", "0.77 ± 0.05", "0.07", "off", "Maps")]
    assert order == sorted(order)
    assert {"class": "off"} in page.all("strong")
    assert {"class": "alert", "role": "alert"} in page.all("p")
    # Every row has all columns, so that those of a shorter row stay below their headers.
    assert len(page.all("td")) == 1 + 2 * 4


def test_groups_of_a_verdict_are_folded_and_say_how_many_pass():
    rows = [
        VerdictRow("Density", "-0.6", "lower is better", group="Density"),
        VerdictRow("P(k)", "0.77", "worst bin", "off", "0.07", group="Power"),
        VerdictRow("Correlation", "0.01", "mean", "pass", "0.02", group="Power"),
    ]
    page = ParsedPage(Page("x").verdict(rows, "1 of 2 checks pass.").html())
    text = " ".join(part for part in page.text if part)
    assert len(page.all("details")) == 2
    assert all("open" not in attributes for attributes in page.all("details"))
    assert "Power 1 of 2 pass" in text
    assert text.index("1 of 2 checks pass.") < text.index("Power 1 of 2 pass")
    assert page.all("summary") == [{}, {"class": "off"}]


def test_a_list_of_contents_leads_to_every_section():
    page = Page("x")
    for number in range(5):
        page.section(f"Part <{number}>").heading("Smaller")
    parsed = ParsedPage(page.html())
    links = [link["href"] for link in parsed.all("a")]
    assert links == [f"#{heading['id']}" for heading in parsed.all("h2")]
    assert len(links) == 5
    assert not ParsedPage(Page("x").section("One").html()).all("nav")


def test_picture_goes_to_a_file_as_it_lies_in_the_page(tmp_path):
    report = Page("x").figure(a_figure(), "caption", "alt", png_file=tmp_path / "figure.png")
    (image,) = ParsedPage(report.html()).all("img")
    assert (tmp_path / "figure.png").read_bytes() == base64.b64decode(image["src"].split(",")[1])


def test_braces_in_text_stay():
    assert "{theta}" in Page("a {title}").section("{body}", "{theta} {{}}").html()


def test_equal_content_gives_equal_pages():
    assert a_page().html() == a_page().html()


def test_write(tmp_path, monkeypatch):
    path = a_page().write(tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == a_page().html()
    with pytest.raises(InputError, match=r"report\.html: expected a path that does not exist"):
        Page("other").write(path)
    Page("other").write(path, overwrite=True)
    assert "other" in path.read_text(encoding="utf-8")

    def full_disk(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(InputError, match="No space left"):
        Page("third").write(path, overwrite=True)
    assert "other" in path.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_page_in_a_folder_that_has_one_is_refused_before_any_picture(tmp_path):
    (tmp_path / "metrics.json").touch()
    with pytest.raises(InputError, match="metrics.json: expected a path that does not exist"):
        write_evaluation(None, tmp_path)
    with pytest.raises(InputError, match="metrics.json: expected a path that does not exist"):
        write_calibration(None, tmp_path, model=None, label="")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


def test_wrong_input():
    with pytest.raises(InputError, match=r"alt: .*Received: ' '"):
        Page("x").figure(a_figure(), "caption", " ")
    with pytest.raises(InputError, match=r"rows: expected 2 cells a row\. Received: \[1\]"):
        Page("x").table(["a", "b"], [[1, 2], [1]])
