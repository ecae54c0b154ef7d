"""Names in questions, and whether a text mentions them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.names import initials, mentions, names, spelled_out


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("How much smaller are TILDEv2's indexes?", ("TILDEv2",)),
        (
            "What MRR@10 does ColBERTv2 get on MS MARCO?",
            ("MRR@10", "ColBERTv2", "MARCO"),
        ),  # two letters alone are no name
        ("What context window does GPT-5 have?", ("GPT-5",)),
        ("Phenaki generates videos. What else?", ()),  # a capital that begins a sentence tells nothing
        ("When was Phenaki published?", ("Phenaki",)),
        ("Does CLIP-like training help?", ()),
        ("Is BERT-quality ranking possible?", ()),
        ("Which RL and KV papers do you have?", ()),
        ("Which LLMs and AI models?", ()),
        ("Which papers are from May and June?", ()),
        ("what does hyperattention do?", ()),
        ("WHAT DOES ATTENTION COST IN GPT-4?", ("GPT-4",)),
        ("How Does Layer Normalization Help Training?", ()),  # in title case capitals tell nothing
        ("How Does LoRA Reduce Memory in Practice?", ("LoRA",)),
        ("Does Phenaki beat Imagen Video?", ("Phenaki", "Imagen Video")),
        ("Compare Phenaki, Imagen Video and Gemma", ("Phenaki", "Imagen Video", "Gemma")),
        ("", ()),
    ],
)
def test_names_are_told_from_words(text: str, found: tuple[str, ...]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("We present TILDEv2, a ranker.", "TILDEv2"),
        ("We present TILDE v2.", "TILDEv2"),
        ("pre-trained on MS-MARCO", "MS MARCO"),
        ("many LLMs", "LLM"),
        ("one LLM", "LLMs"),
        ("long chains with large language models", "LLMs"),
        (r"the Fr\'echet distance", "Fréchet"),
        ("the Frechet distance", "Fréchet"),
        ("HyperAttension is fast", "HyperAttention"),
        ("GPT4 and others", "GPT-4"),
        ("hyperattention", "HyperAttention"),
        ("weights at example.org/nvidia/embed", "NVIDIA"),
        ("variational autoencoders learn", "VAE"),
        ("autoregressive models", "ARM"),
    ],
)
def test_a_text_mentions_a_name_however_it_is_spelled(text: str, name: str) -> None:
    assert mentions(text, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("We present TILDEv2.", "TILDEv3"),
        ("We present TILDE.", "TILDEv2"),
        ("We compare with GPT-4.", "GPT-5"),
        ("We compare with GPT-4.5.", "GPT-4"),
        ("Llama 3.1 70B", "Llama 3.1 8B"),
        ("FlashAttention-2", "FlashAttention-3"),
        ("a reversed one", "VERSE"),
        ("nothing of the kind", "DPO"),
        ("a control-point per hair, many points", "POINTS"),
        ("", "BERT"),
    ],
)
def test_another_version_is_another_name(text: str, name: str) -> None:
    assert not mentions(text, name)


@pytest.mark.parametrize(
    ("text", "name", "mentioned"),
    [
        ("Squeezed Attention is fast", "Sqeezed Attention", True),
        ("A squeezed attention", "Sqeezed Atention", True),
        ("Squeezed by Attention", "Sqeezed Attention", False),  # not in a row
        ("Samba Attention", "Mamba Attention", False),  # so short a word has too many neighbours
        ("Squeezed Attention 2", "Sqeezed Attention 3", False),
        ("Structured Pruning of networks", "Unstructured Pruning", False),
    ],
)
def test_a_slip_in_a_name_of_several_words_is_looked_over(text: str, name: str, mentioned: bool) -> None:
    assert mentions(text, name) == mentioned


def test_an_acronym_is_spelled_out_by_words_in_a_row() -> None:
    assert spelled_out("we study direct preference optimization of models", "DPO")
    assert not spelled_out("optimization of direct preference", "DPO")
    assert not spelled_out("direct preference optimization", "Dpo")
    assert initials("Direct preference-optimization, v2") == "dpo v"


@pytest.mark.parametrize(
    "text", ["take ideas, pass some on", "tokens in pretrained systems", "the team is prepared. Some agree"]
)
def test_letters_across_punctuation_or_little_words_spell_no_acronym(text: str) -> None:
    assert not spelled_out(text, "TIPS")


def test_an_adjective_is_no_part_of_the_name_before_it() -> None:
    assert names("Which Llama is PV-Tuning Pareto-optimal for?") == ("Llama", "PV-Tuning", "Pareto-optimal")


@given(st.text(), st.text(max_size=30))
def test_any_text_can_be_asked(text: str, name: str) -> None:
    mentions(text, name)
    assert all(found in text for found in names(text))


words = st.text(alphabet="abcdefghij", min_size=3, max_size=8)


@given(st.lists(words, max_size=5), words, st.lists(words, max_size=5))
def test_a_name_that_stands_in_a_text_is_mentioned(before: list[str], word: str, after: list[str]) -> None:
    name = word.capitalize() + "X9"
    assert mentions(" ".join([*before, name, *after]), name)
    assert name in names(" ".join(["the", *before, name, *after]))
