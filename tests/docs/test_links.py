"""Every link of README and documentation leads to a file of the repository, and to a heading that is there."""

import pytest
from doc_pages import DOCS, PAGES, ROOT, anchors, links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_every_page_can_be_reached_from_the_start():
    reached, new = set(), {DOCS / "index.md"}
    while new:
        reached |= new
        new = {target for page in new for target, _ in links(page) if target.suffix == ".md"} - reached
    assert {page for page in PAGES if DOCS in page.parents} <= reached


def test_a_wrong_link_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Some words, here\n\n[a](none.md) [b](#some-words-here) [c](#others) [d](https://example.org)\n")
    (missing, _), (_, good), (_, bad) = links(page)
    assert not missing.exists()
    assert good in anchors(page)
    assert bad not in anchors(page)
