"""The bench's people: they see of a real page what a browser shows, and the figures say what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import gradio as gr
import pytest
from ui_helpers import free_port

from eval.bench_ui import crowd
from eval.bench_ui.person import Asked, ask
from eval.bench_ui.report import asked_figures, crowd_figures, line_figures, markdown
from eval.bench_ui.tab import Layout, PageError, Tab


def turn(question: str, inner: str) -> str:
    return f'<article class="pc-turn"><div class="pc-question">{question}</div>{inner}</article>'


async def answers(question: str, seen: list[str]) -> AsyncIterator[Any]:
    """Waits, streams and finishes as the chat does; a question may ask for trouble."""
    seen.append(question)
    yield turn(question, "<p>2 people are before you.</p>"), gr.update(value="")
    await asyncio.sleep(0.05)
    yield turn(question, "<p>1 person is before you.</p>"), gr.skip()
    if question == "crash":
        raise gr.Error("boom")
    if question == "fail":
        yield turn(question, '<p class="pc-problem">The library is empty.</p>'), gr.skip()
        return
    for text in ("First", f"First words<br>about {question}"):
        await asyncio.sleep(0.05)
        yield turn(question, f'<div class="pc-answer"><p>{text}</p></div>'), gr.skip()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A page with the parts of ours that the bench needs: a box, a button, past and present turns."""
    with gr.Blocks(analytics_enabled=False) as page:
        seen = gr.State([])
        opened = gr.HTML("", elem_id="opened")
        gr.HTML(turn("an earlier one", '<div class="pc-answer">old</div>'), elem_id="pc-past")
        now = gr.HTML("", elem_id="pc-now")
        box = gr.Textbox(elem_id="pc-question")
        count = gr.HTML("", elem_id="count")
        new = gr.Button("New chat", elem_id="pc-clear")
        asked = box.submit(answers, [box, seen], [now, box], concurrency_limit=20)
        asked.then(lambda seen: str(len(seen)), [seen], [count], queue=False)
        new.click(lambda: "", None, [now], queue=False)
        page.load(lambda: "opened", None, [opened])
    _, url, _ = page.launch(
        server_port=free_port(), prevent_thread_lock=True, quiet=True, inbrowser=False, share=False, ssr_mode=False
    )
    yield url
    page.close(verbose=False)


def test_a_person_sees_places_first_words_and_the_whole_answer(url: str) -> None:
    async def test() -> None:
        async with Tab.opened(url) as tab:
            assert tab.shows("opened") == "opened", "opening the page has fired its events"
            asked = await ask(tab, "birds")
            assert (asked.shown, asked.text, asked.problem) == ("birds", "First wordsabout birds", "")
            assert asked.places == [2, 1]
            assert asked.first_words_s is not None
            assert 0.1 <= asked.first_words_s < asked.total_s
            assert tab.shows("pc-question") == "", "the box was emptied"
            await ask(tab, "fish")
            assert tab.shows("count") == "2", "what follows an answer has run, in the same session"

    asyncio.run(test())


def test_everybody_has_a_session_of_their_own(url: str) -> None:
    questions = [f"subject {n}" for n in range(10)]
    asked = asyncio.run(crowd.burst(url, questions, 10))
    assert [one.shown for one in asked] == questions
    assert crowd.mixed_up(asked, {q: f"First wordsabout {q}" for q in questions}) == []


def test_what_the_page_says_is_wrong_is_an_error(url: str) -> None:
    async def test() -> None:
        async with Tab.opened(url) as tab:
            assert (await ask(tab, "fail")).problem == "The library is empty."
            assert "boom" in (await ask(tab, "crash")).problem
            assert (await ask(tab, "birds")).problem == "", "and the page goes on"
            with pytest.raises(PageError, match="no #nothing"):
                await tab.fire("nothing", "click")
            with pytest.raises(PageError, match="Nothing happens"):
                await tab.fire("pc-now", "click")

    asyncio.run(test())


def test_a_server_that_is_gone_is_an_error_and_no_endless_wait(url: str) -> None:
    async def test() -> None:
        async with Tab.opened(url) as tab:
            tab._client.base_url = f"http://127.0.0.1:{free_port()}"  # type: ignore[assignment]
            assert "ConnectError" in (await ask(tab, "birds")).problem

    asyncio.run(test())
    with pytest.raises(PageError, match=r"no page of Gradio's"):
        Layout("<html></html>")


def test_answers_alone_are_what_the_others_are_held_against(url: str) -> None:
    assert asyncio.run(crowd.alone(url, ["a", "b"])) == {"a": "First wordsabout a", "b": "First wordsabout b"}
    with pytest.raises(RuntimeError, match="Nobody else was there"):
        asyncio.run(crowd.alone(url, ["fail"]))


EXPECTED = {"a": "A.", "b": "B."}
WELL = [Asked("a", "a", "A.", "", 0.2, 0.4, 10.0), Asked("b", "b", "B.", "", 0.4, 0.8, 11.0, [1])]


def test_the_figures_count_mix_ups_and_errors() -> None:
    others = [Asked("a", "a", "B.", "", 0.3, 0.5), Asked("b", "a", "A.", "", 0.3, 0.5), Asked("a", problem="Busy.")]
    found = asked_figures([*WELL, *others], EXPECTED)
    assert (found["questions"], found["errors"], found["mixed_up"]) == (5, 1, 2)
    assert found["first_errors"] == ["Busy."]
    assert found["first_words_s"]["p50"] == pytest.approx(0.3)
    assert asked_figures([], EXPECTED)["first_words_s"] is None


def test_the_figures_of_a_line_say_whether_it_was_kept() -> None:
    kept = line_figures(WELL)
    assert kept["in_order"]
    assert (kept["saw_their_place"], kept["only_moved_up"]) == (1, True)
    overtaken = line_figures([*reversed(WELL), Asked("a", "a", "A.", ended=12.0, places=[1, 2])])
    assert not overtaken["in_order"]
    assert not overtaken["only_moved_up"]


def test_the_report_shows_every_figure() -> None:
    found = {
        "first_page": {"up_s": 4.2, "usable_s": None, "models_s": 9.0},
        "burst": asked_figures(WELL, EXPECTED),
        "crowd": crowd_figures(crowd.Crowd(WELL, 4.0, (700.0, 712.0, 705.0)), 50, EXPECTED),
        "local": line_figures(WELL),
    }
    text = markdown(found)
    assert found["crowd"]["growth_mib"] == 12.0
    for shown in ("4.2 s", "no chromium", "12 MiB", "50 people", "0.30 s / 0.39 s", "| 2 | 1 | 0.8 s |"):
        assert shown in text, text
