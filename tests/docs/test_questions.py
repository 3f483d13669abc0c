"""The first questions of three users are answered, at most two clicks from the start."""

import pytest
from doc_pages import DOCS, anchors, links
from questions import QUESTIONS

MOST_CLICKS = 2
ALL = [(user, *question) for user, of_user in QUESTIONS.items() for question in of_user]


def clicks_from_the_start():
    """How many links of pages one follows from the start to each page; the list at the side does not count."""
    clicks, new = {DOCS / "index.md": 0}, {DOCS / "index.md"}
    for number in range(1, MOST_CLICKS + 1):
        new = {target for page in new for target, _ in links(page) if target.suffix == ".md"} - set(clicks)
        clicks |= dict.fromkeys(new, number)
    return clicks


CLICKS = clicks_from_the_start()


def test_there_are_twenty_of_each():
    assert {user: len(set(of_user)) for user, of_user in QUESTIONS.items()} == dict.fromkeys(QUESTIONS, 20)


@pytest.mark.parametrize(("user", "question", "place", "words"), ALL, ids=lambda value: str(value)[:40])
def test_a_question_is_answered(user, question, place, words):
    name, _, heading = place.partition("#")
    page = DOCS / name
    assert page in CLICKS
    assert not heading or heading in anchors(page)
    assert words in page.read_text(encoding="utf-8")
