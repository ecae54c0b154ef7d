"""paperchat inside llama-index programs and their embeddings inside paperchat: no network, no global models."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from conftest import ROOT, child_environment
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core import Document, MockEmbedding, Settings, VectorStoreIndex  # noqa: TID251  (to see it unused)
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import ChatMessage, ChatResponse, MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from rag import settings as paperchat_settings
from rag.answer.pipeline import Paperchat
from rag.chunking import embedding_text
from rag.errors import EndpointBusyError, FingerprintError, QuestionError, SettingsError
from rag.ingest import ingest, library_fingerprint
from rag.library.library import Library
from rag.llamaindex import LlamaIndexEmbedder, PaperEmbedding, PaperReranker, PaperRetriever
from rag.llamaindex.retriever import as_node
from rag.models.embedder import load_embedder
from rag.models.interfaces import Embedder, Message
from rag.models.llm import as_generator
from rag.models.reranker import LateInteraction
from tests.fake_llm import id_of
from tests.library_helpers import HashEmbedder, fill, paper

PAPERS = [
    paper(
        "TILDEv2: Lexical Expansion for Passage Ranking",
        "We propose TILDEv2 for passage ranking. Its contextualized indexes are 99% smaller than those of TILDE. "
        "It stores scores of tokens only for expanded passages.",
        published=date(2021, 8, 20),
    ),
    paper(
        "Folding Proteins With Diffusion",
        "Proteins fold in many ways. Our diffusion model predicts backbones of proteins with 3 million parameters.",
        published=date(2023, 5, 2),
    ),
    paper(
        "Speech Without Transcripts",
        "Speech recognition needs transcripts. We train a recogniser on unlabelled audio of 40 languages.",
    ),
    paper(
        "Robots That Remember",
        "We give robots a memory of rooms they have seen. They find objects in half the time.",
        published=date(2024, 1, 9),
    ),
]
QUESTION = "How much smaller are TILDEv2's indexes?"
WORDS = st.lists(st.sampled_from("memory proteins indexes robots speech token of a the 99% v2".split()), min_size=1)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder(paperchat_settings.Settings(_env_file=None))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Iterator[Paperchat]:
    """Paperchat with the real embedder on the four papers above."""
    chosen = paperchat_settings.Settings(_env_file=None, home=tmp_path_factory.mktemp("small"))
    library = Library.open(chosen.library_folder, library_fingerprint(embedder))
    fill(library, PAPERS, embedder)  # type: ignore[arg-type]
    library.close()
    engine = Paperchat(chosen, embedder=embedder)
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def _no_global_models() -> Iterator[None]:
    """llama-index's `Settings` resolves its models to OpenAI as soon as anything reads them."""
    assert Settings._llm is None
    assert Settings._embed_model is None
    yield
    assert Settings._llm is None
    assert Settings._embed_model is None


class ScriptedEmbedding(BaseEmbedding):
    """A foreign embedding: three numbers by a function, or an error."""

    model_name: str = "scripted-1"
    embed: Callable[[str], list[float]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self.embed(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self.embed(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self.embed(text)


# The retriever


def test_nodes_are_the_retrieved_passages_with_their_scores(small: Paperchat) -> None:
    nodes = PaperRetriever(small, k=3).retrieve(QUESTION)
    ranked = small.retrieve(QUESTION, k=3).papers
    assert [n.node.node_id for n in nodes] == [r.passage.passage_id for r in ranked]
    assert [n.score for n in nodes] == [r.score for r in ranked]
    for node, expected in zip(nodes, ranked, strict=True):
        data = node.node.metadata
        assert node.node.get_content() == expected.passage.text
        assert expected.paper.abstract[data["start"] : data["end"]] == node.node.get_content()
        assert node.node.ref_doc_id == data["paper_id"] == expected.paper.paper_id
        assert {key: data[f"scores.{key}"] for key in expected.scores} == dict(expected.scores)
    assert nodes[0].node.metadata["title"] == PAPERS[0].title


def test_a_date_is_iso_and_absent_where_unknown(small: Paperchat) -> None:
    nodes = PaperRetriever(small, k=4).retrieve("speech, robots, proteins and passages")
    dates = {n.node.metadata["title"]: n.node.metadata.get("published") for n in nodes}
    assert dates == {p.title: p.dated or None for p in PAPERS}
    assert all("published" in n.node.metadata or n.node.metadata["title"] == PAPERS[2].title for n in nodes)


def test_an_embedder_sees_title_and_text_an_llm_the_date_too_and_neither_ids_nor_scores(small: Paperchat) -> None:
    node = PaperRetriever(small, k=1).retrieve(QUESTION)[0].node
    text = node.get_content()
    assert node.get_content(metadata_mode=MetadataMode.EMBED) == embedding_text(PAPERS[0].title, text)[0].strip()
    assert node.get_content(metadata_mode=MetadataMode.LLM) == f"{PAPERS[0].title}\n2021-08-20\n{text}".strip()


def test_any_vector_store_takes_the_nodes(small: Paperchat) -> None:
    for node in PaperRetriever(small, k=4).retrieve(QUESTION):
        assert node_to_metadata_dict(node.node, flat_metadata=True)["document_id"] == node.node.metadata["paper_id"]


def test_filters_in_the_question_hold(small: Paperchat) -> None:
    titles = [
        n.node.metadata["title"]
        for n in PaperRetriever(small, k=4).retrieve("papers from 2023 about robots and proteins")
    ]
    assert titles == [PAPERS[1].title]


def test_async_retrieval_is_the_same_and_leaves_the_loop_free(small: Paperchat, monkeypatch: Any) -> None:
    retriever, searched_in = PaperRetriever(small, k=2), []
    search = small.retrieve
    monkeypatch.setattr(
        small, "retrieve", lambda *a, **k: (searched_in.append(threading.get_ident()), search(*a, **k))[1]
    )
    found = asyncio.run(retriever.aretrieve(QUESTION))
    assert searched_in
    assert threading.get_ident() not in searched_in
    assert [n.node_id for n in found] == [n.node_id for n in retriever.retrieve(QUESTION)]


def test_impossible_calls_are_refused(small: Paperchat) -> None:
    with pytest.raises(ValueError, match="k is 0"):
        PaperRetriever(small, k=0)
    with pytest.raises(QuestionError):
        PaperRetriever(small).retrieve("  ")


def test_a_query_engine_answers_from_our_passages(small: Paperchat) -> None:
    """MockLLM says its prompt back: what stands in the answer is what an LLM gets to read."""
    retriever = PaperRetriever(small, k=2)
    answer = RetrieverQueryEngine.from_args(
        retriever, llm=MockLLM(), node_postprocessors=[PaperReranker(top_n=1)]
    ).query(QUESTION)
    assert [n.node.metadata["title"] for n in answer.source_nodes] == [PAPERS[0].title]
    assert "99% smaller than those of TILDE" in str(answer)
    assert PAPERS[0].title in str(answer)
    assert "scores." not in str(answer)
    assert PAPERS[0].paper_id not in str(answer)
    assert PAPERS[1].title not in str(answer)


# The reranker


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS, st.integers(1, 7))
@settings(deadline=None, max_examples=40)
def test_the_order_is_that_of_late_interaction(texts: list[list[str]], question: list[str], top_n: int) -> None:
    """Against each text scored alone by `LateInteraction`, with a cheap embedder."""
    hashing = HashEmbedder()
    nodes = [NodeWithScore(node=TextNode(text=" ".join(words), id_=str(i)), score=0.5) for i, words in enumerate(texts)]
    found = PaperReranker(hashing, top_n=top_n).postprocess_nodes(nodes, query_str=" ".join(question))
    asked = hashing.encode([" ".join(question)], query=True)[0]
    scores = [
        float(LateInteraction().score("", asked, [""], [hashing.encode([" ".join(words)])[0].tokens])[0])
        for words in texts
    ]
    expected = sorted(range(len(texts)), key=lambda i: -scores[i])[:top_n]
    assert [n.score for n in found] == pytest.approx([scores[i] for i in expected])
    assert len({n.node.node_id for n in found}) == min(top_n, len(nodes))
    assert all(scores[int(n.node.node_id)] == pytest.approx(n.score) for n in found)
    assert all(n.score == 0.5 for n in nodes)


def test_on_our_own_nodes_it_puts_first_what_the_library_puts_first(small: Paperchat, embedder: Embedder) -> None:
    """The node's text is what was embedded at ingestion. The library has some of its token vectors, by their
    signs only."""
    nodes = PaperRetriever(small, k=4).retrieve(QUESTION)
    again = PaperReranker(embedder, top_n=4).postprocess_nodes(nodes, query_str=QUESTION)
    stored = [node.node.metadata["scores.rerank"] for node in again]
    assert stored[0] == max(stored)
    assert [node.score for node in again] == pytest.approx(stored, abs=0.12)


def test_it_ranks_foreign_nodes_by_meaning(embedder: Embedder) -> None:
    texts = [p.abstract for p in PAPERS]
    nodes = [NodeWithScore(node=TextNode(text=text), score=None) for text in texts]
    found = PaperReranker(embedder, top_n=2).postprocess_nodes(
        nodes, query_bundle=QueryBundle("learning from raw sound")
    )
    assert len(found) == 2
    assert found[0].node.get_content() == texts[2]


def test_a_long_node_is_read_to_its_end(embedder: Embedder) -> None:
    """llama-index's nodes have up to 1024 tokens, our embedder's window 256."""
    filler = " ".join(f"Sentence number {i} says nothing of interest." for i in range(60))
    needle = "Octopuses taste with their arms."
    nodes = [NodeWithScore(node=TextNode(text=text, id_=text[-7:])) for text in (filler, f"{filler} {needle}")]
    assert embedder.count_tokens([filler])[0] > embedder.max_tokens
    found = PaperReranker(embedder).postprocess_nodes(nodes, query_str="How do octopuses taste?")
    assert found[0].node.get_content().endswith(needle)
    assert (found[0].score or 0) > (found[1].score or 0) + 0.2


def test_a_reranker_without_nodes_or_question() -> None:
    reranker = PaperReranker(HashEmbedder())
    assert reranker.postprocess_nodes([], query_str="anything") == []
    with pytest.raises(ValueError, match="query_str"):
        reranker.postprocess_nodes([NodeWithScore(node=TextNode(text="a"))])
    with pytest.raises(ValueError, match="top_n"):
        PaperReranker(HashEmbedder(), top_n=0)


# Our embedder in llama-index


def test_a_vector_index_with_our_embedding_finds_the_right_document(embedder: Embedder) -> None:
    index = VectorStoreIndex.from_documents(
        [Document(text=p.abstract, metadata={"title": p.title}) for p in PAPERS],
        embed_model=PaperEmbedding(embedder),
        transformations=[SentenceSplitter(chunk_size=200, chunk_overlap=20)],
    )
    for question, title in [
        ("shapes of molecules of life", PAPERS[1].title),
        ("machines that recall where things are", PAPERS[3].title),
    ]:
        assert index.as_retriever(similarity_top_k=1).retrieve(question)[0].node.metadata["title"] == title
    answer = index.as_query_engine(llm=MockLLM(), similarity_top_k=1).query("recognising audio without labels")
    assert "40 languages" in str(answer)


def test_embeddings_are_the_embedder_s_in_every_call(embedder: Embedder) -> None:
    embedding = PaperEmbedding(embedder, embed_batch_size=3)
    texts = [p.abstract for p in PAPERS]
    expected = [e.vector for e in embedder.encode(texts)]
    assert embedding.model_name == embedder.fingerprint
    for vectors in (
        [embedding.get_text_embedding(text) for text in texts],
        embedding.get_text_embedding_batch(texts),
        asyncio.run(embedding.aget_text_embedding_batch(texts)),
        [asyncio.run(embedding.aget_text_embedding(text)) for text in texts],
    ):
        assert np.allclose(vectors, expected, atol=1e-5)
    asked = embedder.encode([QUESTION], query=True)[0].vector
    assert np.allclose(embedding.get_query_embedding(QUESTION), asked, atol=1e-5)
    assert np.allclose(asyncio.run(embedding.aget_query_embedding(QUESTION)), asked, atol=1e-5)


def test_questions_and_documents_are_told_apart() -> None:
    class Marking(HashEmbedder):
        def encode(self, texts: Any, *, query: bool = False) -> Any:
            return super().encode([f"{'query' if query else 'text'} {text}" for text in texts])

    plain, embedding = HashEmbedder(), PaperEmbedding(Marking())
    assert np.allclose(embedding.get_query_embedding("a"), plain.encode(["query a"])[0].vector)
    assert np.allclose(embedding.get_text_embedding("a"), plain.encode(["text a"])[0].vector)


def test_without_an_embedder_the_configured_one_is_used(monkeypatch: pytest.MonkeyPatch, embedder: Embedder) -> None:
    assert PaperEmbedding().model_name == embedder.fingerprint
    monkeypatch.setenv("PAPERCHAT_EMBEDDER", "nowhere")
    for make in (PaperEmbedding, PaperReranker):
        with pytest.raises(Exception, match="nowhere"):
            make()


# Their models in ours


def test_a_foreign_embedding_carries_a_whole_library(tmp_path: Path, embedder: Embedder) -> None:
    """Ingestion, retrieval and a quoted answer with one vector a text; refusal where nothing fits."""
    foreign = LlamaIndexEmbedder(PaperEmbedding(embedder))
    chosen = paperchat_settings.Settings(_env_file=None, home=tmp_path / "foreign")
    library = Library.open(chosen.library_folder, library_fingerprint(foreign))
    ingest([ROOT / "seeds" / "000_1eee67ad8b52ba11.txt"], library, foreign)
    library.close()
    engine = Paperchat(chosen, embedder=foreign)
    some = engine.library.find(limit=1)[0]
    assert engine.retrieve(some.title, k=1).papers[0].paper.paper_id == some.paper_id
    answer = engine.ask(f"What does the paper {some.title} propose?")
    assert answer.citations
    assert all(c.paper.abstract[c.start : c.end] == c.quote for c in answer.citations)
    assert answer.citations[0].paper.paper_id == some.paper_id
    assert engine.ask("Who won the football world cup of 1954?").refused
    engine.close()
    with pytest.raises(FingerprintError):
        _ = Paperchat(chosen, embedder=embedder).library


@given(st.text(max_size=60), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_stands_for_tokens_is_the_vector_of_unit_length(text: str, query: bool) -> None:
    embedder = LlamaIndexEmbedder(ScriptedEmbedding(embed=lambda text: [3.0, len(text), 4.0]))
    (encoded,) = embedder.encode([text], query=query)
    vector = np.array([3.0, len(text), 4.0]) / np.sqrt(25 + len(text) ** 2)
    assert np.allclose(encoded.vector, vector)
    assert np.allclose(encoded.tokens, vector)
    assert encoded.tokens.dtype == np.float32
    assert encoded.tokens.shape == (len(encoded.spans), 3)
    assert encoded.spans[0].tolist() == [-1, -1]
    covered = [i for start, end in encoded.spans[1:] for i in range(start, end)]
    assert {i for i, c in enumerate(text) if re.match(r"\w", c)} <= set(covered) if query else not covered
    assert len(covered) == len(set(covered))
    assert not any(text[i].isspace() for i in covered)


def test_texts_keep_their_order_in_one_batch_and_none_gives_none() -> None:
    embedder = LlamaIndexEmbedder(ScriptedEmbedding(embed=lambda text: [len(text), 1.0, 0.0]))
    lengths = [round(e.vector[0] / e.vector[1]) for e in embedder.encode(["aaa", "a", "aaaaa", "a"])]
    assert lengths == [3, 1, 5, 1]
    assert embedder.encode([]) == []
    assert embedder.dimension == 3


def test_an_embedding_without_a_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="model_name"):
        LlamaIndexEmbedder(MockEmbedding(embed_dim=4))
    named = LlamaIndexEmbedder(MockEmbedding(embed_dim=4, model_name="m-1"))
    assert named.fingerprint == "llama-index:MockEmbedding:m-1"
    assert named.dimension == 4


def test_a_failing_endpoint_is_one_clear_error_without_the_key() -> None:
    def fail(text: str) -> list[float]:
        raise httpx.ConnectError("no route, key sk-secret-1")

    class Keyed(ScriptedEmbedding):
        api_key: str = "sk-secret-1"

    with pytest.raises(EndpointBusyError, match="Keyed") as caught:
        LlamaIndexEmbedder(Keyed(embed=fail)).encode(["a"])
    assert "sk-secret-1" not in str(caught.value)
    assert caught.value.__context__ is None


class CitingLLM(MockLLM):
    """A llama-index LLM that cites the passage about TILDE."""

    def stream_chat(self, messages: Any, **options: Any) -> Any:
        asked = [Message("user", message.content or "") for message in messages]
        said = ""
        for delta in ("Its indexes are 99% smaller ", f"than those of TILDE [{id_of(asked, '99% smaller')}]."):
            said += delta
            yield ChatResponse(message=ChatMessage(role="assistant", content=said), delta=delta)


def test_a_llama_index_llm_writes_our_answers(small: Paperchat, embedder: Embedder) -> None:
    engine = Paperchat(small.settings, embedder=embedder, generator=as_generator(CitingLLM()))
    answer = engine.ask(QUESTION, answerer="openai")
    assert answer.answer == "Its indexes are 99% smaller than those of TILDE [1]."
    assert answer.outcome == "answered"
    assert [c.paper.paper_id for c in answer.citations] == [PAPERS[0].paper_id]
    engine.close()


def test_importing_paperchat_s_commands_does_not_import_llama_index() -> None:
    code = "import sys, rag.cli, rag.answer.pipeline; sys.exit('llama_index' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **child_environment()}, check=False)
    assert done.returncode == 0


def test_a_node_has_no_more_of_a_date_than_is_known(small: Paperchat) -> None:
    ranked = small.retrieve(QUESTION, k=1).papers[0]
    dated = replace(ranked, paper=replace(ranked.paper, published=date(2021, 8, 1), date_of="month"))
    assert as_node(dated).node.metadata["published"] == "2021-08"
