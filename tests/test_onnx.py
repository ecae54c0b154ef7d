"""The embedder as ONNX: the same vectors as by torch, written once and whole, and torch where it is not for it."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import numpy as np
import pytest

from rag.errors import ModelError
from rag.models import embedder as embedder_module
from rag.models import onnx_embedder, onnx_export
from rag.models.embedder import FolderEmbedder
from rag.models.interfaces import Encoded
from rag.models.onnx_embedder import ABOUT, MODEL, TOKENIZER, About, OnnxEmbedder
from rag.models.onnx_export import BERT_LIKE, EXPORTER, export, exported, installed_root
from rag.models.torch_embedder import TorchEmbedder

TEXTS = ["dense vectors", "", "a long question about sparse words and dense vectors " * 9, "Words!", "unseen 漢字"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh!", "##s", "##ed",
              *"dense vectors a long question about sparse words and query document :".split()]  # fmt: skip
SIZES: dict[str, dict[str, int]] = {
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "others": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24},
}


@pytest.fixture(autouse=True)
def _nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of the environment are out of reach, so that a test neither finds nor makes one there."""
    monkeypatch.setattr(embedder_module, "installed_root", lambda: tmp_path / "nowhere")


def make_model(folder: Path, kind: str = "bert", pooling: str = "mean", prompts: dict[str, str] | None = None) -> Path:
    """A sentence-transformers model of random weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    torch.manual_seed(5)
    words = Tokenizer(models.WordPiece({word: at for at, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if kind == "bert" else [])]
    specials = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, model_input_names=names, model_max_length=24, **specials
    )
    config = AutoConfig.for_model(
        kind, vocab_size=len(VOCABULARY), max_position_embeddings=32, pad_token_id=0, **SIZES.get(kind, SIZES["others"])
    )
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    modules: list[Any] = [Transformer(str(folder), max_seq_length=24), Pooling(16, pooling_mode=pooling), Normalize()]
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder), create_model_card=False)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT. Do not write to it."""
    return make_model(tmp_path_factory.mktemp("models") / "small-bert")


def same(ours: Any, theirs: Any) -> None:
    for query in (False, True):
        for a, b in zip(ours.encode(TEXTS, query=query), theirs.encode(TEXTS, query=query), strict=True):
            assert np.array_equal(a.spans, b.spans)
            assert np.allclose(a.vector, b.vector, atol=2e-6)
            assert np.allclose(a.tokens, b.tokens, atol=2e-6)
    assert ours.count_tokens(TEXTS) == theirs.count_tokens(TEXTS)
    assert (ours.dimension, ours.max_tokens, ours.fingerprint) == (
        theirs.dimension,
        theirs.max_tokens,
        theirs.fingerprint,
    )


@pytest.mark.parametrize("kind", sorted(BERT_LIKE))
def test_every_kind_encodes_as_by_torch_with_its_prompts(kind: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", kind, prompts={"query": "query: ", "document": "document: "})
    ours = FolderEmbedder(folder, exports=tmp_path / "onnx")
    assert isinstance(ours.model, OnnxEmbedder)
    same(ours, TorchEmbedder(folder, ours.fingerprint))
    question, document = (ours.encode(["dense"], query=query)[0] for query in (True, False))
    assert not np.allclose(question.vector, document.vector, atol=1e-3)


def test_the_second_use_needs_no_torch(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = FolderEmbedder(model, exports=tmp_path / "onnx").encode(TEXTS)
    monkeypatch.setattr(embedder_module, "TorchEmbedder", None)
    second = FolderEmbedder(model, exports=tmp_path / "onnx").encode(TEXTS)
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(first, second, strict=True))


def test_an_export_of_the_environment_is_used_first(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = export(TorchEmbedder(model, FolderEmbedder(model, exports=tmp_path).fingerprint), tmp_path / "environment")
    monkeypatch.setattr(embedder_module, "installed_root", lambda: tmp_path / "environment")
    found = FolderEmbedder(model, exports=tmp_path / "onnx").model
    assert isinstance(found, OnnxEmbedder)
    assert found.folder == place
    assert not (tmp_path / "onnx").exists()


def test_other_weights_prompts_or_another_exporter_ask_for_another_export(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(shutil.copytree(model, tmp_path / "small-bert"))
    export(TorchEmbedder(own, "same"), tmp_path)
    assert exported(own, "same", tmp_path)
    assert not exported(own, "other weights", tmp_path)
    monkeypatch.setattr(onnx_export, "EXPORTER", EXPORTER + "+")
    assert not exported(own, "same", tmp_path)
    monkeypatch.undo()
    about = own / "config_sentence_transformers.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"prompts": {"query": "q: "}}))
    assert not exported(own, "same", tmp_path)


@pytest.mark.parametrize("damage", ["cut", "emptied", "no description", "a foreign description"])
def test_half_an_export_is_made_anew(damage: str, model: Path, tmp_path: Path) -> None:
    before = FolderEmbedder(model, exports=tmp_path).encode(TEXTS)
    (place,) = tmp_path.glob("small-bert-*")
    match damage:
        case "cut":
            (place / MODEL).write_bytes((place / MODEL).read_bytes()[:-1])
        case "emptied":
            (place / MODEL).write_bytes(b"")
        case "no description":
            (place / ABOUT).unlink()
        case _:
            (place / ABOUT).write_text('{"size": 1}')
    after = FolderEmbedder(model, exports=tmp_path).encode(TEXTS)
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(before, after, strict=True))
    assert [path.name for path in tmp_path.glob("*") if path.name.startswith(".")] == []


@pytest.mark.parametrize("file", [MODEL, TOKENIZER])
def test_damage_that_leaves_the_size_is_an_error_that_names_the_folder(file: str, model: Path, tmp_path: Path) -> None:
    FolderEmbedder(model, exports=tmp_path).encode(TEXTS)
    (place,) = tmp_path.glob("small-bert-*")
    (place / file).write_bytes(b"\x7f" * (place / file).stat().st_size)
    with pytest.raises(ModelError, match="cannot be used") as caught:
        FolderEmbedder(model, exports=tmp_path).encode(TEXTS)
    assert str(place) in caught.value.message
    assert "Delete" in caught.value.remedy


def test_a_second_export_leaves_the_first_alone(model: Path, tmp_path: Path) -> None:
    root = tmp_path / "onnx"
    place = export(TorchEmbedder(model, "print"), root)
    written = (place / MODEL).stat().st_ino
    assert export(TorchEmbedder(model, "print"), root) == place
    assert (place / MODEL).stat().st_ino == written
    assert list(root.iterdir()) == [place]


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_other_pooling_runs_by_torch(pooling: str, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", pooling=pooling)
    found = FolderEmbedder(folder, exports=tmp_path / "onnx")
    assert isinstance(found.model, TorchEmbedder)
    assert [len(one.vector) for one in found.encode(TEXTS)] == [16] * len(TEXTS)
    assert not (tmp_path / "onnx").exists()


def test_an_export_with_other_vectors_is_not_kept(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = TorchEmbedder(model, "print").encode(TEXTS)
    monkeypatch.setattr(onnx_export, "SAME", 1.01)
    with caplog.at_level(logging.INFO):
        found = FolderEmbedder(model, exports=tmp_path / "onnx")
        assert isinstance(found.model, TorchEmbedder)
    assert "other vectors" in caplog.text
    assert list((tmp_path / "onnx").iterdir()) == []
    for ours, theirs in zip(found.encode(TEXTS), expected, strict=True):
        assert np.allclose(ours.vector, theirs.vector, atol=1e-6)


def test_where_nothing_can_be_kept_torch_works_and_the_log_says_so(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    found = FolderEmbedder(model, exports=tmp_path / "models" / "onnx")
    assert isinstance(found.model, TorchEmbedder)
    assert "cannot be kept" in caplog.text


def test_a_folder_without_an_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        OnnxEmbedder(tmp_path, "print")
    About(1, 16, 24, 0, ("input_ids",)).write(tmp_path)
    assert About.read(tmp_path).inputs == ("input_ids",)


def test_installing_writes_the_bundled_model_into_the_environment() -> None:
    from rag.models.embedder import bundled_folder

    fingerprint = FolderEmbedder(bundled_folder(), exports=Path()).fingerprint
    assert fingerprint == "all-MiniLM-L6-v2:6525db139058:int8"  # libraries that exist stay valid
    place = exported(bundled_folder(), fingerprint, installed_root())
    assert place
    assert (place / MODEL).stat().st_size < 25_000_000


def test_a_quantised_text_has_the_same_vectors_in_any_company(model: Path, tmp_path: Path) -> None:
    exact = TorchEmbedder(model, "print")
    made = OnnxEmbedder(export(exact, tmp_path, int8=True), "print")
    alone = [made.encode([text])[0] for text in TEXTS]
    for mine, among, true in zip(alone, made.encode(TEXTS), exact.encode(TEXTS), strict=True):
        assert np.array_equal(mine.vector, among.vector)
        assert np.array_equal(mine.tokens, among.tokens)
        assert 0.9 < float(mine.vector @ true.vector) < 0.9999999
    assert made.count_tokens(TEXTS) == exact.count_tokens(TEXTS)


def test_the_bundled_model_never_runs_as_another_than_its_fingerprint_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rag.models.embedder import bundled_folder

    monkeypatch.setattr(embedder_module, "installed_root", lambda: tmp_path / "nowhere")
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(ModelError, match="cannot be written as ONNX") as caught:
        FolderEmbedder(bundled_folder(), exports=tmp_path / "models" / "onnx").encode(["x"])
    assert "make install" in caught.value.remedy


def test_documents_run_on_as_many_cores_as_there_are_and_a_question_waits_for_none(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_embedder, "threads", lambda: 2)
    embedder = OnnxEmbedder(export(TorchEmbedder(model, "print"), tmp_path), "print")
    begun: Queue[None] = Queue()
    go_on = threading.Event()
    run = OnnxEmbedder._run

    def held_up(self: OnnxEmbedder, *given: Any) -> list[Encoded]:
        begun.put(None)
        go_on.wait(60)
        return run(self, *given)

    monkeypatch.setattr(OnnxEmbedder, "_run", held_up)
    with ThreadPoolExecutor(4) as pool:
        documents = [pool.submit(embedder.encode, [text]) for text in TEXTS[:3]]
        for _ in range(2):
            begun.get(timeout=30)
        with pytest.raises(Empty):  # the third document waits for a core
            begun.get(timeout=0.2)
        question = pool.submit(embedder.encode, TEXTS[:1], query=True)
        begun.get(timeout=30)
        go_on.set()
        assert all(np.isfinite(future.result()[0].vector).all() for future in [*documents, question])
