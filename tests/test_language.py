"""The language of a question: other languages are seen, and English is never taken for one."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import soon

from rag.answer.language import LANGUAGES, is_written_in, language_of, spaced
from rag.chunking import sentences
from rag.readers import find_sources, read_file

QUESTIONS = {
    "German": [
        "Welche Verfahren werden vorgeschlagen, um Halluzinationen in großen Sprachmodellen zu verringern?",
        "Nenne Arbeiten zu Diffusionsmodellen aus dem Jahr 2024.",
        "Ist Mamba schneller als Transformer?",
        "Wofür steht RAG?",
        "Wie viele Parameter hat DeBERTa?",
        "Was ist LongLoRA?",
    ],
    "French": [
        "Est-ce que Mamba est plus rapide que les Transformers ?",
        "Donne-moi les articles de Kyutai publiés en 2024.",
        "Quelle est la latence de Moshi ?",
        "Qu'est-ce que LongLoRA ?",
    ],
    "Spanish": [
        "¿Es Mamba más rápido que los Transformers?",
        "Dame artículos sobre modelos de difusión publicados en 2024",
        "Explica cómo funciona LoRA",
    ],
    "Italian": ["Qual è la latenza di Moshi?", "Elenca gli articoli sui modelli di diffusione del 2024"],
    "Portuguese": ["Qual é a latência do Moshi?", "Liste artigos sobre modelos de difusão de 2024"],
    "Dutch": ["Wat is de latentie van Moshi?", "Hoe werkt LoRA?", "Waarom heeft GRPO geen criticus nodig?"],
    "Swedish": ["Vilken latens har Moshi?", "Hur många parametrar har DeBERTa?"],
    "Danish": ["Hvilken latenstid har Moshi?"],
    "Finnish": ["Mikä on Moshin latenssi?", "Mitkä artikkelit käsittelevät puhesynteesiä?"],
    "Polish": ["Jakie opóźnienie ma Moshi?", "Które artykuły dotyczą syntezy mowy?"],
    "Czech": ["Jakou latenci má Moshi?", "Kolik parametrů má DeBERTa?"],
    "Hungarian": ["Hogyan működik a LoRA?"],
    "Romanian": ["Cum funcționează LoRA?"],
    "Turkish": ["LoRA nasıl çalışır?", "SindBERT hangi derlem üzerinde eğitildi?"],
    "Vietnamese": ["Độ trễ của Moshi là bao nhiêu?"],
    "Indonesian": ["Bagaimana cara kerja LoRA?"],
    "Russian": ["Как работает LoRA?", "Перечисли статьи о диффузионных моделях за 2024 год"],
    "Ukrainian": ["Яка затримка у Moshi?"],
    "Bulgarian": ["Колко параметъра има DeBERTa?"],
    "Greek": ["Πώς λειτουργεί το LoRA;"],
    "Arabic": ["كيف يعمل LoRA؟"],
    "Hebrew": ["איך LoRA עובד?"],
    "Persian": ["تأخیر Moshi چقدر است؟"],
    "Hindi": ["LoRA कैसे काम करता है?"],
    "Tamil": ["LoRA எப்படி வேலை செய்கிறது?"],
    "Thai": ["LoRA ทำงานอย่างไร"],
    "Chinese": ["LoRA 是怎么工作的？", "请列出2024年关于扩散模型的论文", "Mamba比Transformer快吗？"],
    "Japanese": ["LoRAはどのように動作しますか？", "2024年の拡散モデルの論文を教えてください", "Moshiの遅延は？"],
    "Korean": ["LoRA는 어떻게 작동하나요?", "2024년 확산 모델 논문을 알려 주세요"],
}
ROOT = Path(__file__).parents[1]
# English that a guess by letters alone takes for something else: names, acronyms, loanwords, foreign quotes.
ENGLISH = """
BERT?
Mamba
What is Mimi?
Moshi vs. Kyutai
LongLoRA LongQA
DeBERTa parameters
GPT-4o mini MMLU
And Llama?
what about on CIFAR?
the second one
why?
RLHF DPO GRPO PPO
Explain RoPE
Explain einspace?
Phi-3 mini parameters
FLOPs per token?
tokens per video
OCR de novo
diffusion
data augmentation audio
latent linear
Einstein summation
Latent Dirichlet allocation
papers by DeepSeek
Mistral, Gemma, Qwen?
Is SAM zero-shot?
Which paper introduces Vācaspati?
Does Bielik v3 outperform PLLuM?
What does "Sprachmodell" mean in the German paper?
Who wrote "L'attention multi-tête"?
What is 注意力 in transformers?
What does 自然言語処理 mean?
the Fréchet distance
naïve Bayes classifier
ii) non-robust
(O(Llog(L)) or O(LL)).
""".strip().splitlines()


@pytest.mark.parametrize(("language", "question"), [(name, q) for name, all_ in QUESTIONS.items() for q in all_])
def test_a_question_in_another_language_is_seen(language: str, question: str) -> None:
    assert language_of(question) == language


@pytest.mark.parametrize("question", ENGLISH)
def test_names_acronyms_and_foreign_words_do_not_make_english_another_language(question: str) -> None:
    assert language_of(question) is None


@pytest.mark.parametrize("name", ["questions_dev.jsonl", "questions_more.jsonl", "questions_followups.jsonl"])
def test_no_bundled_question_is_taken_for_another_language(name: str) -> None:
    rows = [json.loads(line) for line in (files("eval") / "data" / name).read_text("utf-8").splitlines()]
    asked = [row["question"] for row in rows] + [turn["content"] for row in rows for turn in row["history"]]
    assert asked
    assert [question for question in asked if language_of(question)] == []


def test_no_title_and_no_sentence_of_the_papers_is_taken_for_another_language() -> None:
    papers = [entry.paper for path in find_sources([ROOT / "seeds"]) for entry in read_file(path).entries]
    texts = [text for paper in papers for text in (paper.title, f"What is {paper.title.split(':')[0]}?")]
    texts += [span.text for paper in papers for span in sentences(paper.abstract)]
    assert len(texts) > 2000
    assert [text for text in texts if language_of(text)] == []


@pytest.mark.parametrize(
    ("follow_up", "earlier", "language"),
    [
        ("warum?", "Wie viele Parameter hat DeBERTa?", "German"),
        ("und für Llama?", "Wie viele Parameter hat DeBERTa?", "German"),
        ("pourquoi ?", "Combien de paramètres possède DeBERTa ?", "French"),
        ("why?", "Wie viele Parameter hat DeBERTa?", None),
        ("And for Llama?", "Combien de paramètres possède DeBERTa ?", None),
        ("tell me more", "Wie viele Parameter hat DeBERTa?", None),
        ("why?", "How many parameters does DeBERTa have?", None),
    ],
)
def test_a_short_follow_up_is_in_the_language_of_the_question_before(
    follow_up: str, earlier: str, language: str | None
) -> None:
    assert language_of(follow_up, [earlier]) == language


def test_a_question_that_is_plain_does_not_care_for_what_was_said_before() -> None:
    assert language_of("How many parameters does DeBERTa have?", ["Was ist LongLoRA?"]) is None
    assert language_of("Combien de paramètres possède DeBERTa ?", ["Was ist LongLoRA?"]) == "French"


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_has_a_known_language_or_none(text: str) -> None:
    assert language_of(text) in {None, *LANGUAGES.values()} - {"English"}


@given(
    st.text(alphabet=st.characters(codec="ascii"), max_size=60).map(lambda text: f"What does “{text}” mean in this?")
)
@settings(max_examples=100, deadline=None)
def test_quoted_text_never_decides(question: str) -> None:
    assert language_of(question) is None


def test_a_lone_half_of_a_surrogate_pair_is_no_failure() -> None:
    assert language_of("What is \ud800 BERT?") is None


def test_a_text_is_checked_to_be_in_a_language() -> None:
    assert is_written_in("Das Modell ist besser als die anderen.", "German")
    assert not is_written_in("The model is better than the others.", "German")
    assert not is_written_in("Das Modell ist besser als die anderen.", "Chinese")
    assert is_written_in("BERT, GPT-4: 12.", "German"), "names may be in any language"


def test_a_space_is_put_where_scripts_meet() -> None:
    assert spaced("DeBERTa有48层") == "DeBERTa 有 48 层"
    assert spaced("GPT-4 für Łódź") == "GPT-4 für Łódź"


def test_a_guess_takes_well_under_the_time_of_an_answer() -> None:
    language_of("Wie viele Parameter hat DeBERTa?")
    words = re.findall(r"\w+", " ".join(ENGLISH))
    with soon(50 * 0.01):
        for i in range(50):
            language_of(" ".join(words[i : i + 12]))
    with soon(1):
        assert language_of("Czym jest model dla mowy i tekstu " * 150) == "Polish"


@pytest.mark.parametrize("part", ["a", "A", "a1", "ab.", "“", "/@", "Wie "])
def test_a_long_text_is_read_in_time(part: str) -> None:
    language_of("Wie schnell ist das?")  # loads the model
    with soon(0.5):
        language_of(part * 20_000)
