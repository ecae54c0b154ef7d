"""Saying whether an answer helped: two quiet buttons, a panel for more, and the judgement on this machine's disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from stub_endpoint import answer, endpoint
from ui_helpers import PAPER, Reading, answered, assert_harmless, everywhere, finished, found, served

from eval.feedback import import_feedback
from eval.questions import read_questions
from rag.answer.answer import Turn
from rag.feedback import FEEDBACK, FeedbackStore, judged
from rag.settings import Settings
from ui.chat import Chat
from ui.conversation import ChatTurn, Conversation
from ui.feedback import Judging
from ui.feedback_html import KEPT, KEPT_WITH_WORDS
from ui.turns_html import conversation_html
from ui.warmup import Warmup

SWITCHES = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
TILDE = "How much smaller are TILDEv2's indexes?"
TURNS, PANEL, ABOUT, NOTE, PAPERS, UNANSWERABLE = range(6)  # what a handler returns


class Engine:
    """Settings are all that judging needs of it."""

    def __init__(self) -> None:
        self.settings = Settings(_env_file=None)  # type: ignore[call-arg]


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "feedback.jsonl")


@pytest.fixture
def judging(store: FeedbackStore) -> Judging:
    engine: Any = Engine()
    return Judging(Chat(engine, Warmup(engine)), store)


def conversation(*answers: Any) -> Conversation:
    asked = Conversation()
    for number, given in enumerate(answers, start=1):
        turn = asked.begin(f"Question {number}?")
        if given is not None:
            turn.answer, turn.text = given, given.answer
    return asked


def pressed(number: Any, verdict: Any) -> gr.EventData:
    return gr.EventData(target=None, _data={"turn": number, "verdict": verdict})


# --- what is shown --------------------------------------------------------------------------------


def test_only_a_finished_answer_has_buttons_and_they_say_what_was_pressed() -> None:
    running, failed = ChatTurn(2, "B?", text="So"), ChatTurn(3, "C?", problem="Down.")
    judged_turn = finished(answered("So."), 1)
    judged_turn.feedback = judged("A?", [], answered("So."), "not_helpful")
    reading = Reading(conversation_html([judged_turn, running, failed, finished(answered("No."), 4)]))
    buttons = [attributes for tag, attributes in reading.tags if tag == "button"]
    assert reading.texts("button") == ["Helpful", "Not helpful"] * 2
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
    asked.turns[1].fail("Down.")
    view = judging.thumb(asked, pressed(3, "helpful"))
    (kept,) = store.read()
    assert (kept.question, kept.verdict, kept.answer) == ("Question 3?", "helpful", answered("Third.").as_dict())
    assert kept.history == (Turn("user", "Question 1?"), Turn("assistant", "First.")), "later turns are no history"
    assert KEPT in view[TURNS]
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
    assert KEPT_WITH_WORDS in view[TURNS]
    assert view[PANEL]["visible"] is False
    assert asked.judging is None


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
    assert view == (gr.skip(),) * 6
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
    assert "cannot be written" in view[TURNS]
    assert view[PANEL] == gr.skip(), "the panel stays open with what was typed"
    store.path.rmdir()
    assert "cannot be written" not in judging.send(asked, "Long note", "", False)[TURNS]
    assert [kept.note for kept in store.read()] == ["Long note"]


def test_a_new_chat_closes_the_panel_and_keeps_what_was_said(judging: Judging, store: FeedbackStore) -> None:
    asked = conversation(answered("So."))
    judging.thumb(asked, pressed(1, "helpful"))
    asked.clear()
    judging.send(asked, "too late", "", False)
    assert judging.close(asked)[PANEL]["visible"] is False
    assert [kept.note for kept in store.read()] == [""]


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(chromium: str) -> Iterator[Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield lambda **options: browser.new_page(**options)
        browser.close()


def ask(page: Page, url: str, question: str) -> None:
    page.set_default_timeout(60_000)
    if page.url != url:
        page.goto(url)
    number = page.locator(".pc-turn").count() + 1
    page.fill("#pc-question textarea", question)
    page.press("#pc-question textarea", "Enter")
    page.wait_for_selector(f'.pc-turn[data-turn="{number}"][aria-busy="false"]')


@pytest.mark.browser
def test_from_a_thumb_in_the_browser_to_a_question_of_the_suite(pages: Any, seed_copy: Path, tmp_path: Path) -> None:
    with served(seed_copy) as url:
        page = pages()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        ask(page, url, TILDE)
        assert page.locator("#pc-feedback-panel").count() == 0, "nothing is asked before a verdict"
        thumb = page.get_by_role("button", name="Not helpful")
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
        ask(page, url, "What is the capital of France?")
        page.locator('.pc-turn[data-turn="2"]').get_by_role("button", name="Helpful", exact=True).click()
        expect(page.get_by_label("Note (optional)")).to_be_visible()
        expect(page.get_by_label("The right paper (optional)")).to_be_hidden()
        page.get_by_role("button", name="Close").click()
        expect(page.locator("#pc-feedback-panel")).to_be_hidden()
        assert complaints == []
        page.close()
    store = FeedbackStore(seed_copy / FEEDBACK)
    first, second, third = store.read()
    assert first.id == second.id
    assert (second.note, second.right_paper) == ("Not this one.", "DeBERTa: Decoding-enhanced BERT")
    assert second.answer["citations"][0]["title"].startswith("Fast Passage Re-ranking")
    assert [turn.content for turn in third.history if turn.role == "user"] == [TILDE]
    assert import_feedback(store.path, tmp_path / "q.jsonl", lambda _: True) == 2
    wrong, refusal = read_questions(tmp_path / "q.jsonl")
    assert (wrong.gold_titles, wrong.answerable) == (("DeBERTa: Decoding-enhanced BERT",), True)
    assert (refusal.gold_titles, refusal.answerable) == ((), False)


@pytest.mark.browser
def test_the_panel_fits_and_the_question_box_stays_in_sight(pages: Any, seed_copy: Path) -> None:
    with served(seed_copy) as url:
        for width in (390, 1280):
            page = pages(viewport={"width": width, "height": 844})
            ask(page, url, TILDE)
            page.get_by_role("button", name="Not helpful").click()
            page.get_by_label("The papers do not answer this").check()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            composer = page.locator("#pc-composer").bounding_box()
            assert composer["y"] + composer["height"] <= 845
            page.get_by_role("button", name="Send").click()
            expect(page.get_by_text(KEPT_WITH_WORDS)).to_be_visible()
            page.close()
    assert [kept.unanswerable for kept in FeedbackStore(seed_copy / FEEDBACK).read()] == [False, True] * 2


@pytest.mark.browser
def test_no_key_and_no_address_is_put_on_record(pages: Any, seed_copy: Path) -> None:
    key = "sk-secret-0123456789abcdef"

    def cited(body: dict[str, Any]) -> Any:
        blocks = [block for block in re.split(r"(?=<passage )", str(body["messages"])) if "TILDEv2" in block]
        names = [match[1] for block in blocks if (match := re.search(r'id="(p[0-9a-f]{4})"', block))]
        return answer(f"TILDEv2 produces indexes that are 99% smaller than those of TILDE [{names[0]}].")

    with (
        endpoint(cited) as stub,
        served(seed_copy, OPENAI_BASE_URL=stub.url, OPENAI_MODEL="stub", OPENAI_API_KEY=key) as url,
    ):
        page = pages()
        ask(page, url, TILDE)
        page.get_by_role("button", name="Helpful", exact=True).click()
        expect(page.get_by_text(KEPT, exact=True)).to_be_visible()
        page.close()
        written = (seed_copy / FEEDBACK).read_text(encoding="utf-8")
        assert json.loads(written)["answer"]["model"] == "stub"
        for secret in (key, stub.host, str(seed_copy)):
            assert secret not in written
