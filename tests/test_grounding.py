"""The grounding score: coverage, numbers, and which piece of evidence supports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder

from rag.answer.alignment import Idf
from rag.answer.comparison import COSINE, SOFT
from rag.answer.grounding import SUPPORTED, Grounder
from rag.answer.pipeline import Paperchat
from rag.models.interfaces import Encoded


@dataclass(frozen=True)
class Piece:
    """A piece of evidence."""

    text: str


def pieces(*texts: str) -> list[Piece]:
    return [Piece(text) for text in texts]


def grounder(common: Sequence[str] = ()) -> Grounder:
    """Equal words have equal vectors, different ones nearly none in common; `common` terms weigh nothing much."""
    return Grounder(Idf(lambda wanted: {t: 900 if t in common else 1 for t in wanted}, 1000), HashEmbedder())


INDEXES = "TILDEv2 makes indexes that are 99% smaller than those of TILDE."


def test_a_sentence_is_supported_by_itself() -> None:
    support = grounder().support(INDEXES, pieces("Cats sleep.", INDEXES, "Dogs bark."))
    assert (support.supported, support.best, support.note) == (True, 1, "")
    assert support.score == pytest.approx(1.0)


def test_markers_are_no_part_of_the_claim() -> None:
    plain = grounder().support(INDEXES, pieces(INDEXES))
    assert grounder().support(INDEXES.replace(".", " [1, 12]."), pieces(INDEXES)) == plain


@pytest.mark.parametrize("claim", [INDEXES.replace("99%", "98%"), INDEXES + " It takes 7 ms."])
def test_a_number_that_the_evidence_does_not_state_is_unsupported_whatever_the_words(claim: str) -> None:
    support = grounder().support(claim, pieces(INDEXES))
    assert not support.supported
    assert support.best == 0
    assert "does not state " in support.note
    assert ("98" in support.note) or ("7" in support.note)
    assert support.score <= 0.5


@pytest.mark.parametrize("claim", ["decoding is 40x faster", "decoding is 40 times faster", "decoding is 40× faster"])
def test_a_factor_counts_however_it_is_written(claim: str) -> None:
    support = grounder(["time"]).support(claim, pieces("decoding is 40times faster"))
    assert "does not state" not in support.note


def test_the_piece_that_states_the_number_wins_over_one_that_shares_more_words() -> None:
    near, right = "Decoding of long texts on small machines is 3x faster.", "Decoding of long texts is 40x faster."
    support = grounder().support("Decoding of long texts on machines is 40x faster.", pieces(near, right))
    assert support.best == 1


def test_other_words_are_unsupported_and_the_note_says_why() -> None:
    support = grounder().support("Elephants teleport marmalade.", pieces(INDEXES))
    assert not support.supported
    assert support.score < SUPPORTED
    assert support.note == "its words are not covered by the evidence"


def test_the_score_is_coverage_weighted_by_idf_and_mixed_with_similarity() -> None:
    # "cats" weighs ln(1 + 999.5 / 1.5), "sleep" ln(1 + 100.5 / 900.5); only "cats" stands in the evidence.
    heavy, light = math.log(1 + 999.5 / 1.5), math.log(1 + 100.5 / 900.5)
    embedder = HashEmbedder()
    claim, evidence = embedder.encode(["cats sleep", "cats"])
    near = max(0.0, float((claim.tokens @ evidence.tokens.T).max(axis=1)[_row(claim, "sleep")]))
    coverage = (heavy + SOFT * near * light) / (heavy + light)
    expected = (1 - COSINE) * coverage + COSINE * float(claim.vector @ evidence.vector)
    score = grounder(["sleep"]).support("cats sleep", pieces("cats")).score
    assert score == pytest.approx(expected, abs=1e-5)


def _row(encoded: Encoded, word: str) -> int:
    """The token of the second word of "cats sleep"."""
    start = "cats sleep".index(word)
    return next(i for i, span in enumerate(encoded.spans) if tuple(span) == (start, start + len(word)))


def test_without_evidence_nothing_is_supported() -> None:
    support = grounder().support(INDEXES, [])
    assert (support.score, support.supported, support.best, support.note) == (0.0, False, None, "no passage is cited")


@pytest.mark.parametrize("sentence", ["What is it?", "[1]", "", "This paper says so."])
def test_a_sentence_that_says_nothing_needs_no_support(sentence: str) -> None:
    assert grounder().support(sentence, pieces("Cats sleep.")).supported


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.lists(st.text(max_size=40), max_size=4))
def test_any_texts_give_a_score_between_nothing_and_all(claim: str, texts: list[str]) -> None:
    support = grounder().support(claim, pieces(*texts))
    assert 0.0 <= support.score <= 1.0 + 1e-6
    assert support.best is None or 0 <= support.best < len(texts)
    assert support.supported or support.note


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("cats dogs sleep bark 12 3.5% fast models".split()), min_size=1, max_size=8))
def test_what_stands_in_the_evidence_word_for_word_is_supported(parts: list[str]) -> None:
    claim = " ".join(parts)
    assert grounder().support(claim, pieces("Birds sing.", f"We say that {claim} here.")).supported


class TestRealModel:
    """With MiniLM and the library's word weights."""

    ABSTRACT = "thus producing indexes that are 99% smaller than those of TILDE"

    @pytest.mark.parametrize(
        ("claim", "supported"),
        [
            ("The indexes are 99% smaller than TILDE's.", True),
            ("It makes indexes which are 99% smaller than TILDE's.", True),
            ("The indexes are 89% smaller than TILDE's.", False),
            ("TILDE won the 1998 World Cup in Paris.", False),
            ("Elephants are grey.", False),
        ],
    )
    def test_a_paraphrase_is_told_from_an_invention(self, engine: Paperchat, claim: str, supported: bool) -> None:
        support = engine._use.grounder.support(claim, pieces("Cats sleep.", self.ABSTRACT))
        assert support.supported == supported, support
