"""Claims held against evidence: which sentences are compared, and how the likeness is put together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder

from rag.answer import comparison
from rag.answer.alignment import idf_of
from rag.answer.comparison import AGAINST, COSINE, FOR, SHORTLIST, SOFT, WHOLE, Comparer, Seen, denial, likeness, only
from rag.models.embedder import load_embedder
from rag.settings import Settings

DOCUMENT = ["cats sleep", "dogs bark", "birds sing", "fish swim", "mice squeak", "cats purr"]
VOCABULARY = "cats dogs sleep bark never without increases decreases higher lower the 12".split()
sentence = st.lists(st.sampled_from(VOCABULARY), max_size=7).map(" ".join)
some_documents = st.lists(st.lists(sentence, min_size=1, max_size=4), min_size=1, max_size=3)


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def comparer(embedder: HashEmbedder) -> Comparer:
    """Every word weighs the same."""
    return Comparer(idf_of([]), embedder)


def compared(claim: str, *documents: list[str]) -> tuple[comparison.Claim, Seen]:
    comparer = Comparer(idf_of([]), HashEmbedder())
    made = comparer.claim(claim)
    return made, comparer.compare(made, documents)


class TestClaim:
    def test_it_has_the_telling_words_with_their_weights(self) -> None:
        claim = Comparer(idf_of(["cats"] * 9 + ["sleep"]), HashEmbedder()).claim("the cats did sleep")
        assert [word.text for word in claim.words] == ["cats", "sleep"]
        assert claim.weights.tolist() == pytest.approx([word.weight for word in claim.words])
        assert claim.weights[0] < claim.weights[1]

    @pytest.mark.parametrize("text", ["", " ", "what is it", "…"])
    def test_it_may_have_no_telling_word(self, comparer: Comparer, text: str) -> None:
        claim = comparer.claim(text)
        assert (claim.text, claim.words, claim.weights.shape) == (text, [], (0,))


class TestCompare:
    def test_the_sentences_that_share_most_are_compared_in_the_order_in_which_they_stand(self) -> None:
        _, seen = compared("mice squeak while cats purr", DOCUMENT, ["mice purr"])
        assert seen.texts == ["cats sleep", "mice squeak", "cats purr", "mice purr"]
        assert (seen.documents, seen.places) == ([0, 0, 0, 1], [0, 4, 5, 0])

    def test_a_rare_word_counts_for_more_than_two_common_ones(self) -> None:
        comparer = Comparer(idf_of(["cats purr"] * 50 + ["quark"]), HashEmbedder())
        seen = comparer.compare(comparer.claim("cats purr quark"), [["cats purr"] * SHORTLIST + ["one quark"]])
        assert seen.places == [0, 1, 2, SHORTLIST]

    def test_a_word_that_stands_there_matches_exactly_and_softly(self) -> None:
        claim, seen = compared("cats bark", ["dogs bark", "cats"])
        assert [word.text for word in claim.words] == ["cats", "bark"]
        assert seen.exact.tolist() == [[0, 1], [1, 0]]
        assert seen.soft[0, 1] == pytest.approx(1.0)
        assert seen.soft[1, 0] == pytest.approx(1.0)
        assert seen.soft.min() < 0.5

    def test_an_inflected_word_matches_exactly_by_its_stem(self) -> None:
        _, seen = compared("cats sleeping", ["cat sleeps"])
        assert seen.exact.tolist() == [[1, 1]]

    def test_coverage_is_each_sentence_s_own_weighted_match(self) -> None:
        comparer = Comparer(idf_of(["cats"] * 9 + ["bark"]), HashEmbedder())
        claim = comparer.claim("cats bark")
        seen = comparer.compare(claim, [["dogs bark", "cats"]])
        for row in range(2):
            each = [SOFT * seen.soft[row, i] + (1 - SOFT) * seen.exact[row, i] for i in range(2)]
            expected = sum(m * word.weight for m, word in zip(each, claim.words, strict=True))
            assert seen.coverage[row] == pytest.approx(expected / sum(word.weight for word in claim.words), abs=1e-6)

    def test_an_empty_sentence_of_the_evidence_covers_hardly_anything(self) -> None:
        _, seen = compared("cats sleep", [""])
        assert seen.exact.tolist() == [[0, 0]]
        assert seen.coverage[0] < 0.5

    @given(sentence, some_documents)
    def test_whatever_is_compared_is_there(self, text: str, documents: list[list[str]]) -> None:
        claim, seen = compared(text + " quark", *documents)
        every = [(d, p) for d, document in enumerate(documents) for p in range(len(document))]
        places = list(zip(seen.documents, seen.places, strict=True))
        assert places == sorted(set(places))
        assert set(places) <= set(every)
        assert len(places) == min(SHORTLIST, len(every))
        assert [documents[d][p] for d, p in places] == seen.texts
        assert seen.soft.shape == seen.exact.shape == (len(places), len(claim.words))
        assert ((seen.coverage >= 0) & (seen.coverage <= 1 + 1e-6)).all()


class TestEncodingsAreKept:
    def test_a_text_is_encoded_once(self, comparer: Comparer, embedder: HashEmbedder) -> None:
        comparer.compare(comparer.claim("cats sleep"), [DOCUMENT])
        first = embedder.encoded_texts
        comparer.compare(comparer.claim("cats sleep"), [DOCUMENT])
        assert embedder.encoded_texts == first
        assert first == 4  # the claim, which is also the first sentence, and three more

    def test_the_opposites_are_encoded_with_the_evidence(self, comparer: Comparer, embedder: HashEmbedder) -> None:
        claim = comparer.claim("sleep increases")
        seen = comparer.compare(claim, [["sleep decreases"]])
        before = embedder.encoded_texts
        comparer.direction(claim, seen, [0])
        assert embedder.encoded_texts == before

    def test_a_full_store_changes_no_result(self, monkeypatch: pytest.MonkeyPatch, comparer: Comparer) -> None:
        wanted = [comparer.compare(comparer.claim(text), [DOCUMENT]).coverage for text in DOCUMENT]
        monkeypatch.setattr(comparison, "_KEPT", 2)
        small = Comparer(idf_of([]), HashEmbedder())
        for _ in range(2):
            for text, coverage in zip(DOCUMENT, wanted, strict=True):
                found = small.compare(small.claim(text), [DOCUMENT]).coverage
                np.testing.assert_allclose(found, coverage, atol=1e-6)  # BLAS adds in another order by alignment

    def test_threads_share_one_comparer(self, monkeypatch: pytest.MonkeyPatch, comparer: Comparer) -> None:
        monkeypatch.setattr(comparison, "_KEPT", 3)
        texts = DOCUMENT * 10
        wanted = [comparer.compare(comparer.claim(text), [DOCUMENT]).coverage for text in texts]
        shared = Comparer(idf_of([]), HashEmbedder())
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda text: shared.compare(shared.claim(text), [DOCUMENT]).coverage, texts))
        assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def best_window(claim: comparison.Claim, seen: Seen) -> float:
    """Brute force: each sentence, and each with the one that follows it in its document."""
    places = {(d, p): i for i, (d, p) in enumerate(zip(seen.documents, seen.places, strict=True))}
    weights = [float(weight) for weight in claim.weights]
    found = []
    matches = SOFT * seen.soft + (1 - SOFT) * seen.exact
    for (d, p), i in places.items():
        for rows in ([i], [i, places.get((d, p + 1), i)]):
            each = [max(float(matches[row, word]) for row in rows) for word in range(len(weights))]
            found.append(sum(match * weight for match, weight in zip(each, weights, strict=True)) / sum(weights))
    return max(found)


class TestLikeness:
    def test_a_claim_that_is_its_evidence_is_wholly_like_it(self) -> None:
        assert likeness(*compared("cats sleep", ["dogs bark", "cats sleep"])) == pytest.approx(1.0)

    def test_two_sentences_in_a_row_count_for_more_than_two_apart(self) -> None:
        row = likeness(*compared("cats sleep dogs bark", ["cats sleep", "dogs bark"]))
        apart = likeness(*compared("cats sleep dogs bark", ["cats sleep", "x y", "dogs bark"]))
        split = likeness(*compared("cats sleep dogs bark", ["cats sleep"], ["dogs bark"]))
        assert row > apart
        assert row > split
        assert apart == pytest.approx(split, abs=0.02)

    def test_sentences_of_two_documents_are_never_in_a_row(self) -> None:
        claim, seen = compared("cats sleep dogs bark", ["cats sleep"], ["x y", "dogs bark"], ["cats", "dogs"])
        assert list(zip(seen.documents, seen.places, strict=True)) == [(0, 0), (1, 1), (2, 0), (2, 1)]
        together = compared("cats sleep dogs bark", ["cats sleep", "dogs bark"])
        assert likeness(claim, seen) < likeness(*together) - 0.05

    @given(sentence, some_documents)
    def test_it_is_the_window_and_the_whole_mixed_with_the_nearest_sentence(
        self, text: str, documents: list[list[str]]
    ) -> None:
        claim, seen = compared(text + " quark", *documents)
        matches = SOFT * seen.soft + (1 - SOFT) * seen.exact
        whole = float(matches.max(axis=0) @ claim.weights / claim.weights.sum())
        cosine = max(float(claim.encoded.vector @ encoded.vector) for encoded in seen.encoded)
        expected = (1 - COSINE) * (WHOLE * whole + (1 - WHOLE) * best_window(claim, seen)) + COSINE * cosine
        assert likeness(claim, seen) == pytest.approx(expected, abs=1e-5)

    @given(sentence, st.lists(sentence, min_size=1, max_size=3), sentence)
    def test_more_evidence_in_a_document_of_its_own_never_takes_away(
        self, text: str, document: list[str], more: str
    ) -> None:
        before, after = compared(text + " quark", document), compared(text + " quark", document, [more])
        assert likeness(*after) >= likeness(*before) - 1e-6

    @given(sentence, some_documents)
    def test_one_sentence_by_itself_is_no_better_than_all(self, text: str, documents: list[list[str]]) -> None:
        claim, seen = compared(text + " quark", *documents)
        assert max(likeness(claim, only(seen, row)) for row in range(len(seen.texts))) <= likeness(claim, seen) + 1e-6


def test_one_sentence_is_cut_out_whole() -> None:
    _, seen = compared("cats sleep dogs bark", ["cats sleep", "x y"], ["dogs bark"])
    one = only(seen, 2)
    assert (one.texts, one.documents, one.places) == (["dogs bark"], [1], [0])
    assert one.soft.tolist() == seen.soft[2:].tolist()
    assert one.exact.tolist() == seen.exact[2:].tolist()
    assert one.coverage.tolist() == seen.coverage[2:].tolist()
    assert one.encoded == [seen.encoded[2]]


class TestDenial:
    def test_a_denied_claim_is_denied(self) -> None:
        claim, seen = compared("cats eat grain", ["never did cats eat grain"])
        assert denial(claim, seen, [0]) == pytest.approx(1.0, abs=1e-3)

    def test_the_kindest_of_the_sentences_that_cover_it_well_decides(self) -> None:
        claim, seen = compared("cats eat grain", ["never did cats eat grain", "cats eat grain here"])
        assert denial(claim, seen, [1, 0]) == denial(claim, seen, [0, 1]) == pytest.approx(0.0, abs=1e-6)

    def test_a_sentence_that_covers_little_has_no_say(self) -> None:
        claim, seen = compared("cats eat grain", ["never did cats eat grain", "cats and dogs"])
        assert denial(claim, seen, [0, 1]) == pytest.approx(1.0, abs=1e-3)


class TestDirection:
    def lean(self, text: str, *evidence: str) -> tuple[float, str]:
        comparer = Comparer(idf_of([]), HashEmbedder())
        claim = comparer.claim(text)
        seen = comparer.compare(claim, [list(evidence)])
        return comparer.direction(claim, seen, range(len(seen.texts)))

    def test_evidence_that_says_the_opposite_takes_away_and_names_the_word(self) -> None:
        assert self.lean("sleep increases memory", "sleep decreases memory") == (AGAINST, "increases")

    def test_evidence_that_says_the_same_adds_a_little(self) -> None:
        lean, _ = self.lean("sleep increases memory", "sleep increases memory much")
        assert lean == pytest.approx(FOR)

    def test_evidence_that_says_both_says_nothing(self) -> None:
        lean, _ = self.lean("sleep increases memory", "sleep increases memory", "sleep decreases memory")
        assert lean == pytest.approx(0.0, abs=1e-6)

    def test_a_claim_without_a_direction_leans_nowhere(self) -> None:
        assert self.lean("sleep improbably memory", "sleep decreases memory") == (0.0, "")

    def test_the_word_most_denied_decides(self) -> None:
        text = "sleep increases memory after exams"
        assert self.lean(text, "sleep increases memory before exams") == (AGAINST, "after")
        assert self.lean(text, "sleep decreases memory after exams") == (AGAINST, "increases")

    @given(sentence, st.lists(sentence, min_size=1, max_size=4))
    def test_any_lean_is_bounded_and_names_a_word_of_the_claim(self, text: str, evidence: list[str]) -> None:
        lean, word = self.lean(text + " quark", *evidence)
        assert AGAINST <= lean <= FOR
        assert word in text
        assert word or lean == 0.0

    def test_a_word_that_the_embedder_cut_off_has_no_direction(self) -> None:
        comparer = Comparer(idf_of([]), load_embedder(Settings(_env_file=None)))
        claim = comparer.claim("sleep " * 300 + "increases")
        seen = comparer.compare(claim, [["sleep decreases memory"]])
        assert comparer.direction(claim, seen, [0]) == (0.0, "")
