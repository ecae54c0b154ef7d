"""The grounding score is frozen: figures that were measured with it are shown only beside the same version."""

from __future__ import annotations

import pytest

from rag.answer.alignment import idf_of
from rag.answer.grounding import GROUNDING_VERSION, SUPPORTED, Grounder
from rag.models.embedder import load_embedder
from rag.settings import Settings

EVIDENCE = [
    "TILDEv2 stores only the scores of tokens that appear in the expanded passages. This makes indexes that are 99% "
    "smaller than those of TILDE. It does not add to the query latency.",
    "DeBERTa improves BERT and RoBERTa with disentangled attention. Each word has two vectors, for content and "
    "position.",
    "Vitamin D was not associated with a lower risk of infection in 1,200 adults.",
]
SCORES = {
    "This makes indexes that are 99% smaller than those of TILDE.": 1.0000,
    "TILDEv2's indexes are 99% smaller than TILDE's.": 0.9821,
    "TILDEv2's indexes are 98% smaller than TILDE's.": 0.4339,
    "TILDEv2's indexes are 99% larger than TILDE's.": 0.7117,
    "TILDEv2 adds to the query latency.": 0.4281,
    "In DeBERTa a word is represented by vectors for its content and its position.": 0.7569,
    "GPT-4 improves BERT with disentangled attention.": 0.4231,
    "Vitamin D lowered the risk of infection.": 0.4758,
    "There was no link between vitamin D and infections.": 0.4002,
    "Bananas are rich in potassium.": 0.1724,
}


@pytest.fixture(scope="module")
def grounder() -> Grounder:
    return Grounder(idf_of(EVIDENCE), load_embedder(Settings(_env_file=None)))


@pytest.mark.parametrize("claim", SCORES)
def test_scores_of_this_version_are_as_they_were(grounder: Grounder, claim: str) -> None:
    """Who changes a score raises GROUNDING_VERSION, runs `make trust` and `make baseline`, and renews these."""
    assert (GROUNDING_VERSION, SUPPORTED) == ("3", 0.7)
    assert grounder.text_support(claim, EVIDENCE).score == pytest.approx(SCORES[claim], abs=2e-3)
