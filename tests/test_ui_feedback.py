"""Saying whether an answer helped: two quiet buttons, a panel for more, and the judgement on this machine's disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from browser_helpers import FRANCE, TILDE, Tab
from chat_helpers import ScriptedEngine, services_of, told
from playwright.sync_api import Browser, expect
from ui_helpers import PAPER, Reading, answered, assert_harmless, everywhere, finished, found

from eval.feedback import import_feedback
from eval.questions import read_questions
from rag.answer.answer import Turn
from rag.feedback import FEEDBACK, Feedback, FeedbackStore, judged
from ui.conversation import ChatTurn
from ui.feedback import Judging
from ui.feedback_html import KEPT, KEPT_WITH_WORDS
from ui.session import Session
from ui.turns_html import conversation_html
from ui.view import Views

PAST, NOW, PANEL, ABOUT, NOTE, PAPERS, UNANSWERABLE = range(7)  # what a handler returns


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "feedback.jsonl")


@pytest.fixture
def judging(store: FeedbackStore, tmp_path: Path) -> Judging:
    services = services_of(ScriptedEngine(), tmp_path)
    assert services.feedback.path == store.path
    return Judging(services, Views(services))


def conversation(*answers: Any) -> Session:
    session = Session()
    for number, given in enumerate(answers, start=1):
        turn = session.conversation.begin(f"Question {number}?")
        if given is not None:
            turn.answer, turn.text = given, given.answer
    return session


def pressed(number: Any, verdict: Any) -> gr.EventData:
    return told(act="thumb", turn=number, verdict=verdict)


def turns(view: Any) -> str:
    """Earlier turns and the latest as HTML."""
    return str(view[PAST]) + str(view[NOW])


# --- what is shown --------------------------------------------------------------------------------


def test_only_a_finished_answer_has_buttons_and_they_say_what_was_pressed() -> None:
    running, failed = ChatTurn(2, "B?", text="So"), ChatTurn(3, "C?", problem="Down.")
    judged_turn = finished(answered("So."), 1)
    judged_turn.feedback = judged("A?", [], answered("So."), "not_helpful")
    reading = Reading(conversation_html([judged_turn, running, failed, finished(answered("No."), 4)]))
    buttons = [attributes for tag, attributes in reading.tags if attributes.get("data-act") == "thumb"]
    assert [text for text in reading.texts("button") if "elpful" in text] == ["Helpful", "Not helpful"] * 2
    assert [button["aria-pressed"] for button in buttons] == ["false", "true", "false", "false"]
    assert {button["type"] for button in buttons} == {"button"}
    assert reading.text.count(KEPT) == 1


def test_feedback_of_hostile_text_stays_harmless() -> None:
    hostile = "</p><script>alert(1)</script>\"><img src=x onerror='alert(2)'>${1+1} {{title}}"
    for turn in everywhere(hostile):
        turn.feedback_problem = hostile
        assert_harmless(conversation_html([turn]))


# --- handlers -------------------------------------------------------------------------------------


def test_a_thumb_is_kept_at_once_with_the_whole_answer_and_its_history(judging: Judging, store: FeedbackStore) -> None:
    asked = conversation(answered("First."), None, answered("Third."), answered("Fourth."))
    asked.conversation.turns[1].fail("Down.")
    view = judging.thumb(asked, pressed(3, "helpful"))
    (kept,) = store.read()
    assert (kept.question, kept.verdict, kept.answer) == ("Question 3?", "helpful", answered("Third.").as_dict())
    assert kept.history == (Turn("user", "Question 1?"), Turn("assistant", "First.")), "later turns are no history"
    assert KEPT in turns(view)
    assert "Question 3?" in view[ABOUT]
    assert [view[PANEL]["visible"], view[PAPERS]["visible"], view[UNANSWERABLE]["visible"]] == [True, False, False]


def test_an_unhelpful_answer_is_asked_for_the_right_paper_among_those_found(judging: Judging) -> None:
    given = answered("So.", passages=(found(PAPER), found(PAPER)))
    view = judging.thumb(conversation(given), pressed(1, "not_helpful"))
    assert view[PAPERS]["choices"] == [PAPER.title]
    assert view[UNANSWERABLE]["visible"] is True
    refused = judging.thumb(
        conversation(answered("No.", outcome="refused", nearest=(PAPER,))), pressed(1, "not_helpful")
    )
    assert refused[PAPERS]["choices"] == [PAPER.title]
    assert refused[UNANSWERABLE]["visible"] is False, "a refusal has said so itself"


def test_what_is_added_joins_the_verdict_and_closes_the_panel(judging: Judging, store: FeedbackStore) -> None:
    asked = conversation(answered("So."))
    judging.thumb(asked, pressed(1, "not_helpful"))
    view = judging.send(asked, " Wrong paper. ", "Slow Y", False)
    thumb, more = store.read()
    assert thumb.id == more.id
    assert (more.verdict, more.note, more.right_paper) == ("not_helpful", "Wrong paper.", "Slow Y")
    assert KEPT_WITH_WORDS in turns(view)
    assert view[PANEL]["visible"] is False
    assert asked.conversation.judging is None


def test_a_changed_mind_is_the_last_word(judging: Judging, store: FeedbackStore) -> None:
    asked = conversation(answered("So."))
    for verdict in ("helpful", "not_helpful"):
        judging.thumb(asked, pressed(1, verdict))
    judging.send(asked, "", None, False)
    assert [kept.verdict for kept in store.read()] == ["helpful", "not_helpful", "not_helpful"]


@pytest.mark.parametrize(
    "data",
    [
        *[None, [], "x", {}, {"turn": 7, "verdict": "helpful"}, {"turn": 1, "verdict": "great"}],
        *[{"turn": 1, "verdict": []}, {"turn": [1], "verdict": "helpful"}, {"turn": 2, "verdict": "helpful"}],
    ],
)
def test_a_click_that_means_nothing_does_nothing(judging: Judging, store: FeedbackStore, data: Any) -> None:
    asked = conversation(answered("So."), None)
    view = judging.thumb(asked, gr.EventData(target=None, _data=data))
    assert view == (gr.skip(),) * 7
    assert store.read() == []
    judging.send(asked, "note", "", False)
    assert store.read() == [], "nothing is sent without a verdict"


def test_a_judgement_that_cannot_be_kept_is_a_sentence_and_loses_no_words(
    judging: Judging, store: FeedbackStore
) -> None:
    asked = conversation(answered("So."))
    judging.thumb(asked, pressed(1, "helpful"))
    store.path.unlink()
    store.path.mkdir()
    view = judging.send(asked, "Long note", "", False)
    assert "cannot be written" in turns(view)
    assert view[PANEL] == gr.skip(), "the panel stays open with what was typed"
    store.path.rmdir()
    assert "cannot be written" not in turns(judging.send(asked, "Long note", "", False))
    assert [kept.note for kept in store.read()] == ["Long note"]


def test_a_new_chat_closes_the_panel_and_keeps_what_was_said(judging: Judging, store: FeedbackStore) -> None:
    asked = conversation(answered("So."))
    judging.thumb(asked, pressed(1, "helpful"))
    asked.conversation.drop(1)
    judging.send(asked, "too late", "", False)
    assert judging.close(asked)[PANEL]["visible"] is False
    assert [kept.note for kept in store.read()] == [""]


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture
def kept(served_folder: Path) -> Callable[[], list[Feedback]]:
    """What the server at `seed_url` has put on record since the test began."""
    store = FeedbackStore(served_folder / "home" / FEEDBACK)
    before = len(store.read())
    return lambda: store.read()[before:]


@pytest.mark.browser
def test_from_a_thumb_in_the_browser_to_a_question_of_the_suite(
    tab: Tab, kept: Callable[[], list[Feedback]], store: FeedbackStore, tmp_path: Path
) -> None:
    page = tab.page
    turn = tab.ask(TILDE)
    assert page.locator("#pc-feedback-panel").count() == 0, "nothing is asked before a verdict"
    thumb = turn.get_by_role("button", name="Not helpful")
    thumb.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(KEPT, exact=True)).to_be_visible()
    expect(thumb).to_be_focused()
    expect(thumb).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#pc-feedback-about")).to_contain_text(TILDE)
    expect(page.get_by_label("Note (optional)")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Note (optional)")).to_be_focused()
    page.keyboard.type("Not this one.")
    page.get_by_label("The right paper (optional)").click()
    expect(page.get_by_role("option").first).to_contain_text("Fast Passage Re-ranking")
    page.get_by_label("The right paper (optional)").fill("DeBERTa: Decoding-enhanced BERT")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text(KEPT_WITH_WORDS)).to_be_visible()
    expect(page.locator("#pc-feedback-panel")).to_be_hidden()
    tab.ask(FRANCE).get_by_role("button", name="Helpful", exact=True).click()
    expect(page.get_by_label("Note (optional)")).to_be_visible()
    expect(page.get_by_label("The right paper (optional)")).to_be_hidden()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#pc-feedback-panel")).to_be_hidden()
    tab.reload()
    expect(tab.turn(1).get_by_text(KEPT_WITH_WORDS)).to_be_visible()
    first, second, third = kept()
    assert first.id == second.id
    assert (second.note, second.right_paper) == ("Not this one.", "DeBERTa: Decoding-enhanced BERT")
    assert second.answer["citations"][0]["title"].startswith("Fast Passage Re-ranking")
    assert [turn.content for turn in third.history if turn.role == "user"] == [TILDE]
    for given in (first, second, third):
        store.append(given)
    assert import_feedback(store.path, tmp_path / "q.jsonl", lambda _: True) == 2
    wrong, refusal = read_questions(tmp_path / "q.jsonl")
    assert (wrong.gold_titles, wrong.answerable) == (("DeBERTa: Decoding-enhanced BERT",), True)
    assert (refusal.gold_titles, refusal.answerable) == ((), False)


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_the_panel_fits_and_the_question_box_stays_in_sight(
    browser: Browser, seed_url: str, kept: Callable[[], list[Feedback]], width: int
) -> None:
    tab = Tab(browser, seed_url, width, 844)
    tab.ask(TILDE).get_by_role("button", name="Not helpful").click()
    tab.page.get_by_label("The papers do not answer this").check()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    composer = tab.page.locator("#pc-composer").bounding_box()
    assert composer
    assert composer["y"] + composer["height"] <= 845
    tab.page.get_by_role("button", name="Send").click()
    expect(tab.page.get_by_text(KEPT_WITH_WORDS)).to_be_visible()
    tab.close()
    assert [given.unanswerable for given in kept()] == [False, True]
