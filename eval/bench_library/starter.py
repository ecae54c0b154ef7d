"""llama-index's starter, as its documentation has it: what our ingestion and search are measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eval.formats.beir import Document

if TYPE_CHECKING:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.schema import NodeWithScore

COLLECTION = "starter"


class Starter:
    """`VectorStoreIndex` with `HuggingFaceEmbedding` and `ChromaVectorStore`, all settings as they come."""

    def __init__(self, model: Path, whole: Path) -> None:
        """`model` is the bundled model's folder; `whole` becomes a copy that sentence-transformers can load."""
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding

        from rag.models.torch_embedder import TorchEmbedder

        TorchEmbedder(model, "", bundled=True).model.save(str(whole), create_model_card=False)
        self.embedding = HuggingFaceEmbedding(model_name=str(whole), device="cpu")

    def build(self, documents: Mapping[str, Document], folder: Path) -> VectorStoreIndex:
        """A new index below `folder`."""
        import chromadb
        from llama_index.core import Document as Text
        from llama_index.core import StorageContext, VectorStoreIndex
        from llama_index.vector_stores.chroma import ChromaVectorStore

        made = chromadb.PersistentClient(path=str(folder)).get_or_create_collection(COLLECTION)
        store = ChromaVectorStore(chroma_collection=made)
        texts = [Text(text=f"{one.title}\n{one.text}", id_=doc_id) for doc_id, one in documents.items()]
        context = StorageContext.from_defaults(vector_store=store)
        return VectorStoreIndex.from_documents(texts, storage_context=context, embed_model=self.embedding)

    def opened(self, folder: Path) -> VectorStoreIndex:
        """The index that was built there."""
        import chromadb
        from llama_index.core import VectorStoreIndex
        from llama_index.vector_stores.chroma import ChromaVectorStore

        made = chromadb.PersistentClient(path=str(folder)).get_collection(COLLECTION)
        store = ChromaVectorStore(chroma_collection=made)
        return VectorStoreIndex.from_vector_store(store, embed_model=self.embedding)

    def ranking(self, queries: Mapping[str, str], folder: Path, depth: int) -> dict[str, dict[str, float]]:
        """Query -> document -> score of its best node, by the default retriever."""
        retriever = self.opened(folder).as_retriever(similarity_top_k=depth)
        run: dict[str, dict[str, float]] = {}
        for query, text in queries.items():
            run[query] = best_nodes(retriever.retrieve(text))
        return run


def best_nodes(found: Sequence[NodeWithScore]) -> dict[str, float]:
    """Document -> score of its best node, in the order in which the retriever gave them."""
    best: dict[str, float] = {}
    for one in found:
        doc_id = one.node.ref_doc_id or ""
        best[doc_id] = max(best.get(doc_id, 0.0), one.score or 0.0)
    return best
