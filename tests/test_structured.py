"""JSON from a model, or what it writes instead, becomes whole sentences with markers, as soon as they are there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.answer.plaintext import Cut, SentenceCutter, ThinkFilter
from rag.answer.prompts import CANNOT_ANSWER
from rag.answer.structured import StructuredReader, response_format
from rag.errors import EndpointBusyError
from rag.models.interfaces import Piece

FIRST = "TILDEv2 reduces the index by 99%."
SECOND = "Shifted attention is cheaper."
BOTH = ["TILDEv2 reduces the index by 99% [p12ab].", "Shifted attention is cheaper [p3f01] [p12ab]."]
GOOD = {
    "answerable": True,
    "sentences": [{"text": FIRST, "ids": ["p12ab"]}, {"text": SECOND, "ids": ["p3f01", "p12ab"]}],
}


def pieces_of(text: str, size: int, finish: str | None = "stop") -> Iterator[Piece]:
    yield from (Piece(text[i : i + size]) for i in range(0, len(text), size))
    if finish:
        yield Piece(finish_reason=finish, usage={"prompt_tokens": 3})


def cuts(text: str, size: int = 3, finish: str | None = "stop", *, bullets: bool = False) -> list[Cut]:
    """The sentences as the composer gets them."""
    thinking, cutter, found = ThinkFilter(), SentenceCutter(), []
    for piece in StructuredReader(bullets=bullets).read(pieces_of(text, size, finish)):
        plain, forget = thinking.feed(piece.text)
        if forget:
            cutter.forget()
            found.clear()
        found += cutter.feed(plain)
    return found + cutter.feed(thinking.finish()) + cutter.finish()


def texts(text: str, size: int = 3, **options: Any) -> list[str]:
    return [cut.text for cut in cuts(text, size, **options)]


def test_the_schema_is_one_that_strict_endpoints_take() -> None:
    asked = response_format(["p12ab", "p3f01"])
    schema = asked["json_schema"]["schema"]
    assert (asked["type"], asked["json_schema"]["strict"]) == ("json_schema", True)
    item = schema["properties"]["sentences"]["items"]
    assert item["properties"]["ids"]["items"]["enum"] == ["p12ab", "p3f01"]
    for level in (schema, item):  # every key required and no other allowed
        assert level["required"] == list(level["properties"])
        assert level["additionalProperties"] is False


@pytest.mark.parametrize("size", [1, 2, 5, 17, 1000])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps(GOOD), id="as asked"),
        pytest.param(json.dumps(GOOD, indent=2), id="indented"),
        pytest.param(f"```json\n{json.dumps(GOOD)}\n```", id="fence"),
        pytest.param(f"Here is the answer:\n\n```\n{json.dumps(GOOD)}\n```\nI hope this helps!", id="talk around it"),
        pytest.param(f"<think>Is it {{'text': 'x'}}?</think>\n{json.dumps(GOOD)}", id="thinking"),
        pytest.param(f"I should write JSON.\n</think>\n\n{json.dumps(GOOD)}", id="thinking without its opening tag"),
        pytest.param(f'{{"text": "Draft.", "ids": []}}</think>{json.dumps(GOOD)}', id="a draft in the thinking"),
        pytest.param(repr(GOOD), id="single quotes, True"),
        pytest.param(json.dumps(GOOD).replace("]}", "],}").replace("]}]", "]},]"), id="trailing commas"),
        pytest.param(json.dumps(GOOD)[:-3], id="closing brackets missing"),
        pytest.param(json.dumps(GOOD).replace('["p12ab"]', '"p12ab"'), id="a string for a list"),
        pytest.param(json.dumps(GOOD).replace('["p3f01", "p12ab"]', '"p3f01, p12ab"'), id="a string for two"),
        pytest.param(json.dumps(GOOD).replace('["p12ab"]', json.dumps('["p12ab"]')), id="a list in a string"),
        pytest.param(json.dumps(GOOD).replace('"p12ab"', '"P12AB"'), id="capitals"),
        pytest.param(json.dumps(GOOD).replace('"ids"', '"citations"'), id="other keys"),
        pytest.param(json.dumps(GOOD["sentences"]), id="a bare list"),
        pytest.param("\n".join(json.dumps(item) for item in GOOD["sentences"]), id="an object a line"),  # type: ignore[attr-defined]
        pytest.param(json.dumps({"answer": GOOD}), id="an object around it"),
        pytest.param(f"```json\n{json.dumps({'result': [GOOD]})}\n```", id="a fence and an object around it"),
        pytest.param(json.dumps({"reply": BOTH}), id="a list of texts with markers"),
        pytest.param(f"```json\n{json.dumps({'reply': ' '.join(BOTH)})}\n```", id="one text with markers"),
        pytest.param(json.dumps({"sentences": GOOD["sentences"]}), id="no answerable"),
        pytest.param(json.dumps({"sentences": GOOD["sentences"], "answerable": True}), id="another order"),
        pytest.param(json.dumps(GOOD).replace("99%.", "99%.\\n"), id="a line break in a text"),
        pytest.param(json.dumps(GOOD).replace("TILDEv2", "- TILDEv2"), id="a bullet in a text"),
        pytest.param(" ".join(BOTH), id="plain text"),
        pytest.param("\n".join(BOTH), id="plain lines"),
    ],
)
def test_every_way_of_writing_it_ends_the_same(text: str, size: int) -> None:
    assert texts(text, size) == BOTH


def test_a_text_of_two_sentences_is_cited_twice() -> None:
    written = json.dumps({"sentences": [{"text": f"{FIRST} {SECOND}", "ids": ["p12ab"]}]})
    assert texts(written) == [BOTH[0], "Shifted attention is cheaper [p12ab]."]


def test_unknown_ids_become_markers_that_point_nowhere() -> None:
    written = json.dumps({"sentences": [{"text": FIRST, "ids": ["p12ab", "passage_1", 7]}]})
    assert texts(written) == ["TILDEv2 reduces the index by 99% [p12ab] [0] [0]."]


@pytest.mark.parametrize("ids", [None, [], "", {}, [None]])
def test_without_ids_the_text_is_there_all_the_same(ids: Any) -> None:
    found = texts(json.dumps({"sentences": [{"text": FIRST, "ids": ids}]}))
    assert [text.replace(" [0]", "") for text in found] == [FIRST]
    assert texts(json.dumps({"sentences": [{"text": FIRST}]})) == [FIRST]


@pytest.mark.parametrize(
    "text",
    [
        '{"answerable": false, "sentences": []}',
        '{"answerable": false}',
        '{"answerable": "no", "sentences": null}',
        "{'answerable': False}",
        '{"answerable": true, "sentences": []}',
        '{"answerable": false, "sen',
        CANNOT_ANSWER,
    ],
)
def test_not_answerable_is_the_refusal_phrase(text: str) -> None:
    assert texts(text) == [CANNOT_ANSWER]


def test_not_answerable_comes_before_what_is_written_all_the_same() -> None:
    assert texts(json.dumps({**GOOD, "answerable": False})) == [CANNOT_ANSWER, *BOTH]


def test_a_sentence_comes_with_the_brace_that_ends_it() -> None:
    written = json.dumps(GOOD)
    ends = [written.index("}") + 1, written.index("}]}") + 1]
    cutter, found = SentenceCutter(), []
    for n, piece in enumerate(StructuredReader().read(pieces_of(written, 1)), start=1):
        if new := cutter.feed(piece.text):
            found.append((n, [cut.text for cut in new]))
    assert found == [(ends[0], BOTH[:1]), (ends[1], BOTH[1:])]


def test_in_damaged_json_a_sentence_comes_once_the_next_has_begun() -> None:
    written = repr(GOOD)
    second = written.index("{'text'", 50)
    seen = ""
    for n, piece in enumerate(StructuredReader().read(pieces_of(written, 1)), start=1):
        seen += piece.text
        if "99%" in seen:
            assert second < n < second + 12
            return
    pytest.fail("it came at the end or never")


def test_plain_text_is_passed_on_from_its_first_marker() -> None:
    seen = ""
    for n, piece in enumerate(StructuredReader().read(pieces_of(" ".join(BOTH), 1)), start=1):
        seen += piece.text
        if seen:
            assert n < len(BOTH[0])
            return


def test_braces_in_plain_text_stay_text() -> None:
    text = r"The loss is $\frac{a}{b}$ over {x, y} [p12ab]. It takes {\"lr\": 3} as input [p12ab]."
    assert texts(text) == [text[: text.index("].") + 2], text[text.index("].") + 3 :]]
    text = 'It calls tools by {"name": "x"} in JSON.'
    assert texts(text) == [text]


def test_latex_in_json_is_kept_though_its_backslashes_are_wrong() -> None:
    written = r'{"sentences": [{"text": "The rate is $\alpha_{1}$ here.", "ids": ["p12ab"]}, {"text": "B."}]}'
    assert texts(written) == [r"The rate is $\alpha_{1}$ here [p12ab].", "B."]


def test_bullets_stand_on_lines_of_their_own() -> None:
    found = cuts(json.dumps(GOOD), bullets=True)
    assert [cut.text for cut in found] == BOTH
    assert all(cut.bullet for cut in found)
    assert "\n" in found[1].lead


def test_a_sentence_cut_off_is_left_without_an_end() -> None:
    written = json.dumps(GOOD)
    half = written[: written.index("cheaper")]
    assert texts(half, finish="length") == [BOTH[0], "Shifted attention is"]


def test_finish_reason_and_usage_come_through() -> None:
    last = list(StructuredReader().read(pieces_of(json.dumps(GOOD), 7)))[-1]
    assert (last.finish_reason, last.usage) == ("stop", {"prompt_tokens": 3})


def test_thinking_is_told() -> None:
    reader = StructuredReader()
    assert "".join(piece.text for piece in reader.read(pieces_of("<think>only thoughts", 4))) == ""
    assert reader.thought


def test_errors_come_through_and_closing_closes_the_model() -> None:
    def broken() -> Iterator[Piece]:
        yield Piece('{"sent')
        raise EndpointBusyError("busy", "later")

    with pytest.raises(EndpointBusyError):
        list(StructuredReader().read(broken()))
    source = pieces_of(json.dumps(GOOD), 1)
    reading = StructuredReader().read(source)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert list(source) == []


@pytest.mark.parametrize("text", ["{" * 3000, '{"text": ' + "[" * 3000, '{"text": "' + "{" * 3000, "[" * 3000])
def test_depth_beyond_reason_does_not_raise(text: str) -> None:
    cuts(text, 500)


FRAGMENTS = [
    *("{", "}", "[", "]", '"', "'", ",", ":", "\\", "\n", "```json", "</think>", "<think>", "answerable", "sentences"),
    *('"text": ', '"ids": ', '{"text": "A b."', ', "ids": ["p12ab"]}', "false", "null", "p1", "\ud83d", "\x1e", "é"),
    "\x1b[31m",
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=30), st.integers(1, 9), st.booleans())
def test_whatever_is_fed_nothing_raises(parts: Sequence[str], size: int, bullets: bool) -> None:
    cuts("".join(parts), size, bullets=bullets)


WORDS = st.text(alphabet="abcXYZ0159 {}[]\"'\\:,.%$<éπ\n", min_size=1, max_size=40).filter(
    lambda text: any(c.isalnum() for c in text) and not text.lstrip().startswith(("- ", "* "))
)
IDS = st.lists(st.sampled_from(["p12ab", "p3f01", "p0a9c"]), max_size=3)


def letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


@settings(max_examples=200)
@given(
    st.lists(st.tuples(WORDS, IDS), min_size=1, max_size=4),
    st.sampled_from(["", "```json\n", "Sure:\n", "<think>{</think>", "hm }{ </think>"]),
    st.integers(1, 30),
    st.floats(0, 1),
    st.sampled_from([None, 2]),
)
def test_no_text_of_a_complete_object_is_lost(
    written: list[tuple[str, list[str]]], before: str, size: int, share: float, indent: int | None
) -> None:
    items = [{"text": text, "ids": ids} for text, ids in written]
    whole = json.dumps({"answerable": True, "sentences": items}, indent=indent)
    cut = whole[: round(len(whole) * share)]
    complete, at = 0, whole.index("[")
    for _ in items:
        at = json.JSONDecoder().raw_decode(whole, whole.index("{", at))[1]
        complete += at <= len(cut)
    plain = "".join(piece.text for piece in StructuredReader().read(pieces_of(before + cut, size)))
    assert all(f"[{name}]" in plain for _, ids in written[:complete] for name in ids)
    place, shown = 0, letters(unmarked(plain))
    for text, _ in written[:complete]:
        place = shown.find(letters(text), place) + len(letters(text))
        assert place >= len(letters(text))


def unmarked(text: str) -> str:
    for name in ("p12ab", "p3f01", "p0a9c"):
        text = text.replace(f" [{name}]", "")
    return text
