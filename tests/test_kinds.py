"""What kind of answer a question wants."""

from __future__ import annotations

import pytest
from answer_helpers import question

from rag.answer.kinds import Kind, Shape


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("How much smaller are TILDEv2's indexes?", "number"),
        ("By what factor does it cut latency?", "number"),
        ("When was DeBERTa published?", "date"),
        ("Which paper proposes disentangled attention?", "which_paper"),
        ("What is gradient entanglement?", "definition"),
        ("Define gradient entanglement", "definition"),
        ("How does HNeRV differ from NeRV++?", "comparison"),
        ("Why do long contexts hurt retrieval-augmented models?", "how_why"),
        ("How does LongLoRA make fine-tuning cheaper?", "how_why"),
        ("Which papers are about quantization?", "list"),
        ("How many papers are from 2023?", "list"),
        ("Does label noise hurt transfer?", "yes_no"),
        ("Which tasks was the encoder evaluated on?", "other"),
    ],
)
def test_the_kind_of_a_question(text: str, kind: Kind) -> None:
    assert question(text).kind == kind


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Two papers study feedback. What does each one investigate?", "compare"),
        ("Give the diagnoses of the two papers on this and the fix each proposes.", "compare"),
        ("How big is the one on faces, and how big the one with dense captions?", "compare"),
        ("Which surveys are about making models truthful and about making them cheap?", "compare"),
        ("How is language used in segmentation and in sentiment analysis? Name both frameworks.", "compare"),
        ("CodeGen2 versus CodeT5+: which architecture?", "compare"),
        ("What does each of the two heads learn from?", "single"),
        ("Which two models did they test it on?", "single"),
        ("Does any paper extend it along a second axis, and which one?", "single"),
        ("Which approaches turn activations into codes?", "papers"),
        ("What is noise-contrastive estimation?", "single"),
    ],
)
def test_one_paper_several_compared_or_several_listed(text: str, shape: Shape) -> None:
    assert question(text).shape == shape
