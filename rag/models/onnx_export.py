"""A sentence-transformers model written as ONNX once, so that using it needs no torch.

`python -m rag.models.onnx_export` does it for the bundled model at installation. What is written is compared
with the model itself before it is kept: vectors of texts and tokens must be the same to a cosine of 0.99999.

The bundled model is then quantised to int8, twice as fast and a quarter of the size. Measured: it finds what the
exact one finds (docs/retrieval-notes.md). Seven bits for the weights, and a scale for each channel: without the
one, processors that lack VNNI overflow; without the other, MiniLM loses a tenth of its neighbours.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.models.onnx_embedder import MODEL, TOKENIZER, About, OnnxEmbedder
from rag.models.torch_embedder import TorchEmbedder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)
EXPORTER = "2"  # to be raised whenever what is written changes
OPSET = 17
BERT_LIKE = {"bert", "distilbert", "roberta", "xlm-roberta", "mpnet"}
KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
SAME = 0.99999  # cosine
CLOSE = 0.94  # of a quantised model's vectors of texts and tokens; 0.978 and 0.948 were measured at the least
BAKED_IN = ("*.json", "*/config.json", "vocab.txt", "*.model")  # with the weights, all that an export is made of
PROBES = (
    "How much smaller are the indexes?",
    "",
    "Quantized vectors of long passages: 99.1 % smaller, naïve baselines (\u03b1 = 0.5) 漢字 \u2028 are beaten.",
    "retrieval " * 700,
    "[SEP] <s> x" + "y" * 300,
)


class ExportRefusedError(Exception):
    """The model is not one that can be exported; it runs by torch."""


def installed_root() -> Path:
    """Where `make install` keeps exports: in the environment, for all users of it."""
    return Path(sys.prefix) / "share" / "paperchat" / "onnx"


def exported(folder: Path, fingerprint: str, root: Path) -> Path | None:
    """The export below `root` of the model in `folder`; None where there is none, or half of one."""
    place = root / _key(folder, fingerprint)
    try:
        return place if (place / MODEL).stat().st_size == About.read(place).size else None
    except (OSError, ValueError):
        return None


def export(embedder: TorchEmbedder, root: Path, *, int8: bool = False) -> Path:
    """Write the model of `embedder` below `root`; returns the folder, which appears there whole or not at all.

    With `int8` it is quantised, so that it gives vectors of its own.

    Raises:
        ExportRefusedError: it is no BERT-like model with mean pooling, or its export gives other vectors.
        ModelError: the model cannot be read.
        OSError: nothing can be written there.
    """
    inputs = _inputs(embedder.model)
    place = root / _key(embedder.folder, embedder.fingerprint)
    draft = root / f".{place.name}.{os.getpid()}"
    root.mkdir(parents=True, exist_ok=True)
    log.info("Writing the embedder %s as ONNX to %s, once.", embedder.folder, place)
    try:
        draft.mkdir()
        _write(embedder, inputs, draft)
        _compare(embedder, OnnxEmbedder(draft, embedder.fingerprint), SAME)
        if int8:
            _quantise(draft)
            _compare(embedder, OnnxEmbedder(draft, embedder.fingerprint), CLOSE)
        if not exported(embedder.folder, embedder.fingerprint, root):  # else another process was faster
            shutil.rmtree(place, ignore_errors=True)  # half of one
            draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _key(folder: Path, fingerprint: str) -> str:
    digest = hashlib.sha256(f"{EXPORTER}\n{fingerprint}".encode())
    for file in sorted({file for pattern in BAKED_IN for file in folder.glob(pattern)}):
        digest.update(file.read_bytes())
    return f"{fingerprint.replace(':', '-')}-{digest.hexdigest()[:12]}"


def _inputs(model: SentenceTransformer) -> tuple[str, ...]:
    """The inputs of a model that can be exported.

    Raises:
        ExportRefusedError: it cannot.
    """
    modules = list(model)
    names = [type(module).__name__ for module in modules]
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ExportRefusedError(f"its modules are {', '.join(names)}")
    transformer: Any = modules[0]
    pooling: Any = modules[1]
    kind = transformer.model.config.model_type
    if kind not in BERT_LIKE:
        raise ExportRefusedError(f"it is of the kind {kind}")
    if pooling.pooling_mode != "mean" or not pooling.include_prompt:
        raise ExportRefusedError("it pools otherwise than by the mean of all tokens")
    names_in = tuple(model.tokenizer.model_input_names)
    if not getattr(model.tokenizer, "is_fast", False) or not set(names_in) <= KNOWN_INPUTS:
        raise ExportRefusedError("its tokenizer is not one of the tokenizers library")
    return names_in


def _write(embedder: TorchEmbedder, inputs: tuple[str, ...], folder: Path) -> None:
    import torch

    model = embedder.model
    transformer: Any = model[0].model
    attention = transformer.config._attn_implementation
    transformer.set_attn_implementation("eager")  # plain matrix products, which ONNX Runtime fuses by itself
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 8]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    samples = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # about the exporter's age, and shapes that the comparison covers
        try:
            torch.onnx.export(
                _pooled(transformer, inputs),
                tuple(samples[name] for name in inputs),
                str(folder / MODEL),
                dynamo=False,  # the newer exporter wants another library, and brings nothing here
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=["tokens", "vector"],
                dynamic_axes={**dict.fromkeys((*inputs, "tokens"), axes), "vector": {0: "batch"}},
            )
        except RuntimeError as error:
            raise ExportRefusedError(f"torch.onnx cannot export it: {error}") from error
        finally:
            transformer.set_attn_implementation(attention)
    model.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    size = (folder / MODEL).stat().st_size
    pad = int(model.tokenizer.pad_token_id or 0)
    prompts = embedder.prompt(query=True), embedder.prompt(query=False)
    About(size, embedder.dimension, embedder.max_tokens, pad, inputs, False, *prompts).write(folder)


def _quantise(folder: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    exact = onnx.load(folder / MODEL)
    add_pre_process_metadata(exact)  # says that the graph is ready; else a warning asks for it at the root logger
    quantize_dynamic(exact, folder / MODEL, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    about = About.read(folder)
    replace(about, size=(folder / MODEL).stat().st_size, quantised=True).write(folder)


def _pooled(transformer: Any, inputs: tuple[str, ...]) -> Any:
    """The transformer with mean pooling after it, as one torch module."""
    import torch

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *given: Any) -> tuple[Any, Any]:
            named = dict(zip(inputs, given, strict=True))
            tokens = self.transformer(**named).last_hidden_state
            kept = named["attention_mask"].unsqueeze(-1).to(tokens.dtype)
            return tokens, (tokens * kept).sum(1) / kept.sum(1).clamp(min=1e-9)

    return Pooled().eval()


def _compare(embedder: TorchEmbedder, made: OnnxEmbedder, least: float) -> None:
    """Refuse an export that encodes or counts otherwise than the model."""
    pairs = list(zip(embedder.encode(PROBES), made.encode(PROBES), strict=True))
    pairs += zip(embedder.encode(PROBES[:1], query=True), made.encode(PROBES[:1], query=True), strict=True)
    for ours, theirs in pairs:
        if not np.array_equal(ours.spans, theirs.spans):
            raise ExportRefusedError("its export cuts text into other tokens")
        cosines = [float(ours.vector @ theirs.vector), *(ours.tokens * theirs.tokens).sum(axis=1)]
        if not min(cosines) >= least:
            raise ExportRefusedError(f"its export gives other vectors (cosine {min(cosines):.6f})")
    if embedder.count_tokens(PROBES) != made.count_tokens(PROBES):
        raise ExportRefusedError("its export counts other tokens")


def main() -> None:
    """Export the model in the folder that is given, or the bundled one, into the environment."""
    from rag.models.embedder import FolderEmbedder, bundled_folder

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else bundled_folder()
    FolderEmbedder(folder, exports=installed_root()).encode([PROBES[0]])


if __name__ == "__main__":
    main()
