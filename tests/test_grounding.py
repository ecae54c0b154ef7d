"""The grounding score: coverage, numbers, and which piece of evidence supports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_helpers import HashEmbedder

from rag.answer.alignment import Idf, idf_of
from rag.answer.comparison import COSINE, SOFT
from rag.answer.grounding import NAME_LEFT, NEGATED_LEFT, NUMBER_LEFT, SUPPORTED, Grounder, Support
from rag.answer.pipeline import Paperchat
from rag.chunking import sentences
from rag.models.embedder import load_embedder
from rag.models.interfaces import Encoded
from rag.settings import Settings


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
@given(st.lists(st.sampled_from("cats dogs sleep bark 12 fast models".split()), min_size=1, max_size=8))
def test_what_stands_in_the_evidence_word_for_word_is_supported(parts: list[str]) -> None:
    claim = " ".join(parts)
    assert grounder().support(claim, pieces("Birds sing.", f"We say that {claim} here.")).supported


TWO = "Cats sleep all day. Dogs bark at night."


class TestTextOfSeveralSentences:
    """`text_support`: documents taken together, and the weakest sentence."""

    def test_a_text_is_as_weak_as_its_weakest_sentence(self) -> None:
        weak = grounder().text_support("Elephants teleport marmalade.", [TWO])
        text = "Cats sleep all day. Elephants teleport marmalade. Dogs bark at night."
        assert grounder().text_support(text, [TWO]) == weak
        assert weak.score < SUPPORTED

    def test_the_documents_are_taken_together(self) -> None:
        support = grounder().text_support("Cats sleep all day. [1] Dogs bark at night. [2]", TWO.split(". "))
        assert support.supported

    def test_the_best_document_is_that_of_the_weakest_sentence(self) -> None:
        documents = ["Birds sing.", "Fish swim.", "Cats sleep all day."]
        assert grounder().text_support("Cats sleep all day.", documents).best == 2
        assert grounder().text_support("Cats sleep quite badly. Birds sing.", documents).best == 2

    def test_a_sentence_that_stands_there_verbatim_is_supported_whatever_the_space(self) -> None:
        embedder = HashEmbedder()
        spaced = "Cats  sleep\n  all day."
        for claim, document in [(spaced, TWO), ("Cats sleep all day. [3]", spaced)]:
            support = Grounder(idf_of([TWO]), embedder).text_support(claim, ["Birds sing.", document])
            assert support == Support(1.0, True, 1)
        assert embedder.encoded_texts == 0  # seen at once, without the model

    @pytest.mark.parametrize("documents", [[], [""], ["", "  "]])
    def test_without_evidence_nothing_is_supported(self, documents: list[str]) -> None:
        support = grounder().text_support(INDEXES, documents)
        assert support == Support(0.0, False, None, "no passage is cited")

    @pytest.mark.parametrize("text", ["", "  ", "[1]", " [1] [2, 3]", "What is it?", "…", "?!"])
    def test_a_text_that_claims_nothing_needs_no_support(self, text: str) -> None:
        assert grounder().text_support(text, [TWO]) == Support(1.0, True, None)

    def test_a_sentence_that_claims_nothing_makes_no_text_weaker(self) -> None:
        assert grounder().text_support("Cats sleep well. What is it?", [TWO]) == grounder().text_support(
            "Cats sleep well.", [TWO]
        )

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(st.sampled_from(["Cats sleep all day.", "Dogs bark.", "Cats never bark.", "We saw 12.", "Who?"])),
        st.lists(st.sampled_from([TWO, "Birds sing 12 songs.", "Cats do not bark."]), min_size=1, max_size=3),
    )
    def test_the_score_is_the_least_of_its_sentences(self, parts: list[str], documents: list[str]) -> None:
        alone = [grounder().text_support(part, documents).score for part in parts]
        assert grounder().text_support(" ".join(parts), documents).score == pytest.approx(min(alone, default=1.0))

    @settings(max_examples=50, deadline=None)
    @given(st.text(st.characters(codec=None), max_size=60), st.lists(st.text(st.characters(codec=None), max_size=40)))
    def test_any_texts_give_a_score_between_nothing_and_all(self, text: str, documents: list[str]) -> None:
        support = grounder().text_support(text, documents)
        assert 0.0 <= support.score <= 1.0 + 1e-6
        assert support.best is None or 0 <= support.best < len(documents)
        assert support.supported or support.note


@pytest.mark.parametrize(
    ("sentence", "worthy"),
    [
        (INDEXES, True),
        ("Cats sleep [1].", True),
        ("12", True),
        ("", False),
        ("[1, 2]", False),
        ("What is it?", False),
        ("This paper says so.", False),
        ("…", False),
    ],
)
def test_a_sentence_is_worthy_of_a_check_when_it_has_a_telling_word(sentence: str, worthy: bool) -> None:
    assert grounder().worthy(sentence) == worthy


EVIDENCE = "the TILDE index of twelve layers takes 100 s and it increases recall for readers"


@pytest.mark.parametrize(
    ("word", "wrong", "left", "note"),
    [
        ("twelve", "fifteen", NUMBER_LEFT, "the evidence does not state 15"),
        ("twelve", "15", NUMBER_LEFT, "the evidence does not state 15"),
        ("100 s", "100 ms", NUMBER_LEFT, "the evidence does not state 100 ms"),
        ("100 s", "90 s", NUMBER_LEFT, "the evidence does not state 90"),
        ("TILDE", "SPLADE", NAME_LEFT, "the evidence does not mention SPLADE"),
        ("increases", "decreases", 0.9, "the evidence points the other way than “decreases”"),
        (
            "the TILDE",
            "not the TILDE",
            (1 + NEGATED_LEFT) / 2,
            "the evidence says the opposite of what is negated, or denies it",
        ),
    ],
)
def test_one_wrong_part_lowers_the_score_of_the_same_claim(word: str, wrong: str, left: float, note: str) -> None:
    claim = f"{EVIDENCE} today"  # not verbatim, so that it is compared
    right = grounder().text_support(claim, [EVIDENCE])
    spoilt = grounder().text_support(claim.replace(word, wrong), [EVIDENCE])
    assert right.supported
    assert spoilt.score <= left * right.score + 1e-6
    if left < SUPPORTED:
        assert not spoilt.supported
    assert spoilt.note == ("" if spoilt.supported else note)


@pytest.mark.parametrize(
    ("word", "same"),
    [("twelve", "12"), ("100 s", "100 seconds"), ("100 s", "100s"), ("TILDE", "Tilde"), ("100 s", "a 100 s")],
)
def test_another_way_to_write_it_keeps_the_claim_supported(word: str, same: str) -> None:
    claim = EVIDENCE.replace(word, same)
    support = grounder().text_support(claim, [EVIDENCE])
    assert support.supported, support
    assert support.note == ""


def test_a_wrong_number_is_named_before_any_other_fault() -> None:
    claim = EVIDENCE.replace("twelve", "15").replace("TILDE", "SPLADE").replace("increases", "decreases")
    support = grounder().text_support(claim, [EVIDENCE])
    assert support.note == "the evidence does not state 15"
    assert support.score <= NUMBER_LEFT * NAME_LEFT


def test_a_number_in_any_document_is_stated() -> None:
    claim = "the index of fifteen layers is small"
    documents = ["the index of layers is small", "there are 15 of them"]
    assert "does not state" not in grounder().text_support(claim, documents).note
    assert "does not state 15" in grounder().text_support(claim, documents[:1]).note


@pytest.mark.parametrize(
    "text",
    ["\ud800", "cats \ud800 sleep", "\udfff [1]", "x" * 20_000, "cats " * 2000, "\x00", "[1" * 300, "not " * 500],
)
def test_broken_text_is_scored_on_either_side(text: str) -> None:
    for support in (
        grounder().text_support(text, [TWO]),
        grounder().text_support(TWO, [text]),
        grounder().support(text, pieces(TWO)),
        grounder().support(TWO, pieces(text, TWO)),
    ):
        assert 0.0 <= support.score <= 1.0 + 1e-6


DOCUMENT = (
    "Vitamin D supplementation increases survival of patients with severe infection. "
    "TILDEv2 makes indexes that are 99% smaller than those of TILDE. "
    "Training takes 100 s on 4 machines and uses twelve layers. "
    "The drug does not prevent infection in mice. Cats sleep for most of the day."
)


@pytest.fixture(scope="module")
def real() -> Grounder:
    """With MiniLM, and word weights from DOCUMENT."""
    texts = [span.text for span in sentences(DOCUMENT)]
    return Grounder(idf_of(texts), load_embedder(Settings(_env_file=None)))


class TestRealModelAlone:
    """With MiniLM, and word weights from the evidence itself: no library is built."""

    @pytest.mark.parametrize(
        "claim",
        [
            "Supplementation of vitamin D increases survival.",
            "TILDEv2's indexes are 99% smaller than TILDE's.",
            "Training takes 100 seconds on four machines and uses 12 layers.",
            "The drug doesn't prevent infection in mice.",
            "The drug fails to prevent infection in mice.",
            "No, the drug does not prevent infection in mice.",
            "Cats sleep most of the day. [1] The drug does not prevent infection in mice.",
        ],
    )
    def test_what_is_said_in_other_words_is_supported(self, real: Grounder, claim: str) -> None:
        assert real.text_support(claim, [DOCUMENT]).supported

    @pytest.mark.parametrize(
        ("right", "wrong", "note"),
        [
            ("TILDEv2's indexes are 99% smaller than TILDE's.", ("99%", "98%"), "does not state 98"),
            ("TILDEv2's indexes are 99% smaller than TILDE's.", ("TILDEv2", "ColBERT"), "does not mention ColBERT"),
            ("Training takes 100 s on four machines.", ("100 s", "100 ms"), "does not state 100 ms"),
            ("Training takes 100 s on four machines.", ("four", "five"), "does not state 5"),
            ("Vitamin D increases survival.", ("increases", "decreases"), "the other way than “decreases”"),
            ("The drug does not prevent infection in the mice.", ("does not prevent", "prevents"), "opposite"),
        ],
    )
    def test_one_wrong_part_makes_it_unsupported(
        self, real: Grounder, right: str, wrong: tuple[str, str], note: str
    ) -> None:
        before = real.text_support(right, [DOCUMENT])
        after = real.text_support(right.replace(*wrong), [DOCUMENT])
        assert before.supported, before
        assert not after.supported, after
        assert after.score < before.score
        assert note in after.note

    def test_the_best_document_and_the_weakest_sentence_are_found(self, real: Grounder) -> None:
        documents = [span.text for span in sentences(DOCUMENT)]
        support = real.text_support("Cats sleep most of the day. TILDEv2's indexes are 98% smaller.", documents)
        assert (support.supported, support.best) == (False, 1)

    @pytest.mark.parametrize("text", ["\ud800 cats sleep", "", "[1]", "x" * 3000, "cats " * 600, "\x00", "漢字\u2028é"])
    def test_broken_text_is_scored_on_either_side(self, real: Grounder, text: str) -> None:
        assert 0.0 <= real.text_support(text, [DOCUMENT]).score <= 1.0 + 1e-6
        assert 0.0 <= real.text_support("Cats sleep.", [text]).score <= 1.0 + 1e-6


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
