"""The library's search as a llama-index retriever."""

# ruff: noqa: TID253  (subclasses of llama-index's classes; no command imports this module)

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from llama_index.core.callbacks import CallbackManager
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

if TYPE_CHECKING:
    from rag.answer.pipeline import Paperchat
    from rag.answer.retrieve import RankedPaper

SHOWN_TO_EMBEDDER = {"title"}
SHOWN_TO_LLM = {"title", "published"}


class PaperRetriever(BaseRetriever):
    """The best passage of each of the `k` best papers, best first.

    The question is understood as `Paperchat.ask` does: years, organisations and author counts in it
    filter, misspelt words are corrected. Of a `QueryBundle` only `query_str` is read.
    """

    def __init__(self, engine: Paperchat, k: int = 10, callback_manager: CallbackManager | None = None) -> None:
        """Search the library of `engine`, which stays open and may be used beside this."""
        if k < 1:
            raise ValueError(f"k is {k}; at least one paper must be asked for")
        super().__init__(callback_manager=callback_manager)
        self._engine = engine
        self.k = k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Nodes as `as_node` makes them.

        Raises:
            QuestionError: the question is empty or too long.
            LibraryError: there is no library, it is empty or damaged.
        """
        return [as_node(ranked) for ranked in self._engine.retrieve(query_bundle.query_str, k=self.k).papers]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)


def as_node(ranked: RankedPaper) -> NodeWithScore:
    """A ranked paper's best passage as a node that belongs to the document `paper_id`.

    Its metadata is flat, so that any vector store takes it: `paper_id`, `title`, `published` (ISO as far as
    it is known: "2021-08-14", "2021-08", "2021"; absent when unknown), `start` and `end` in the abstract,
    `rank`, and each score as `scores.NAME`. An embedder is shown what paperchat's own embeds, the title above
    the text; an LLM the date too.
    """
    paper, passage = ranked.paper, ranked.passage
    metadata: dict[str, Any] = {"paper_id": paper.paper_id, "title": paper.title}
    if paper.dated:
        metadata["published"] = paper.dated
    metadata |= {"start": passage.start, "end": passage.end, "rank": ranked.rank}
    metadata |= {f"scores.{name}": score for name, score in ranked.scores.items()}
    node = TextNode(
        id_=passage.passage_id,
        text=passage.text,
        metadata=metadata,
        start_char_idx=passage.start,
        end_char_idx=passage.end,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=paper.paper_id)},
        excluded_embed_metadata_keys=[key for key in metadata if key not in SHOWN_TO_EMBEDDER],
        excluded_llm_metadata_keys=[key for key in metadata if key not in SHOWN_TO_LLM],
        metadata_template="{value}",
        text_template="{metadata_str}\n{content}",
    )
    return NodeWithScore(node=node, score=ranked.score)
