"""paperchat's parts for llama-index programs, and llama-index's embeddings for paperchat.

- `PaperRetriever`: the library's search as a `BaseRetriever`.
- `PaperReranker`: late interaction as a `BaseNodePostprocessor`, on nodes from anywhere.
- `PaperEmbedding`: the embedder as a `BaseEmbedding`.
- `LlamaIndexEmbedder`: any `BaseEmbedding` as the `embedder` of `Paperchat` and `ingest`.

A llama-index `LLM` becomes a generator with `rag.models.llm.as_generator`. Nothing here reads
llama-index's global `Settings`; pass `llm` and `embed_model` to llama-index explicitly, or it falls
back to OpenAI by itself.
"""

from rag.llamaindex.embedder import LlamaIndexEmbedder
from rag.llamaindex.embedding import PaperEmbedding
from rag.llamaindex.reranker import PaperReranker
from rag.llamaindex.retriever import PaperRetriever

__all__ = ["LlamaIndexEmbedder", "PaperEmbedding", "PaperReranker", "PaperRetriever"]
