"""What is read of an earlier conversation: titles that the library has, quotes, within a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rag.answer.answer import Turn
from rag.answer.history import (
    HISTORY_CHARS,
    MAX_TURNS,
    TURN_CHARS,
    as_written,
    cited_titles,
    last_asked,
    quoted,
    recent,
)

TITLE = "Phenaki: Variable Length Video Generation"


def _said(text: str) -> list[Turn]:
    return [Turn("assistant", text)]


def test_titles_are_read_as_answers_write_them() -> None:
    titles = [
        "Relative representations enable zero-shot latent space communication",
        "[MASK] is All You Need",
        'Ten Lessons We Have Learned in the New "Sparseland": A Short Handbook',
        "cMIM: A Contrastive Mutual Information Framework",
        "TED*",
    ]
    lines = "\n".join(f"- “{t}” (May 1, 2022) [{n}]" for n, t in enumerate(titles, 1))
    assert cited_titles(_said(f"The library holds 5 papers.\n{lines}"), as_written) == tuple(titles)
    assert cited_titles(_said(f"“{titles[0]}” was published on May 1, 2022 [1]."), as_written) == (titles[0],)
    quote = f"“{titles[4]}” (no date): “A quoted Sentence without its full Stop” [1] “Another One.” [1]"
    assert cited_titles(_said(quote), as_written)[0] == titles[4]
    assert cited_titles(_said(f"It is smaller [{TITLE}]."), as_written) == (TITLE,)


def test_a_quoted_sentence_is_no_title_and_a_users_message_names_none() -> None:
    assert cited_titles(_said("“In This Work We Propose Pointer Networks For Sorting.” [1]"), as_written) == ()
    assert cited_titles([Turn("user", f"“{TITLE}” (May 2022)")], as_written) == ()


def test_only_the_last_answer_that_names_a_known_title_counts() -> None:
    turns = _said(f"“{TITLE}” (May 2022)") + _said("“An Invented Paper: About Toast” (May 2023)")
    assert cited_titles(turns, as_written) == ("An Invented Paper: About Toast",)
    assert cited_titles(turns, lambda title: title if title == TITLE else None) == (TITLE,)


def test_the_quotes_of_the_last_answer() -> None:
    said = f"“{TITLE}” (May 2022): “Phenaki makes arbitrarily long videos.” [1] “It uses causal attention.” [1]"
    assert quoted(_said(said)) == ("Phenaki makes arbitrarily long videos.", "It uses causal attention.")
    assert quoted([]) == ()


def test_the_last_question() -> None:
    assert last_asked([Turn("user", "a"), Turn("user", "b"), Turn("assistant", "c")]) == 1
    assert last_asked(_said("c")) is None


@given(
    st.lists(
        st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=40).map(lambda t: t * 300)),
        max_size=20,
    )
)
def test_the_budget_holds_and_the_newest_turns_are_kept(history: list[Turn]) -> None:
    kept = recent(history)
    assert len(kept) <= MAX_TURNS
    assert sum(len(turn.content) for turn in kept) <= HISTORY_CHARS
    assert all(len(turn.content) <= TURN_CHARS for turn in kept)
    filled = [turn for turn in history[-MAX_TURNS:] if turn.content]
    assert [turn.role for turn in kept] == [turn.role for turn in filled][len(filled) - len(kept) :]
    if filled:
        assert kept[-1].content == filled[-1].content[:TURN_CHARS]
