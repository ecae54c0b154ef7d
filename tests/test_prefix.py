"""Vectors cut to a prefix: those of the model itself, told apart from whole ones, and refused where they cannot be."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from library_helpers import HashEmbedder
from test_onnx import TEXTS, make_model

from rag.answer.retrieve import Retriever
from rag.doctor import Check, diagnose
from rag.errors import FingerprintError, LibraryError, ModelError
from rag.ingest import ingest, library_fingerprint, rebuild
from rag.library.catalog import Catalog
from rag.library.importing import import_into
from rag.library.library import Library
from rag.library.plausible import drop_implausible
from rag.library.transfer import export
from rag.models.embedder import FolderEmbedder, bundled_folder, load_embedder
from rag.models.interfaces import Embedder, Encoded
from rag.models.prefix import PrefixEmbedder, prefix_wanted, vector_length
from rag.models.reranker import LateInteraction
from rag.papers import Filters
from rag.settings import Settings

LISTING = json.dumps([{"title": "Small vectors", "abstract": "Nested vectors are cut. Whales sing."}])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT of 16 dimensions. Do not write to it."""
    return make_model(tmp_path_factory.mktemp("models") / "small-bert")


def settings(home: Path, **given: object) -> Settings:
    return Settings(_env_file=None, home=home, **given)  # type: ignore[arg-type]


def saying(folder: Path, copy: Path, **said: object) -> Path:
    """A copy of the model that says this in its configuration."""
    shutil.copytree(folder, copy)
    about = copy / "config_sentence_transformers.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | said))
    return copy


def is_prefix(cut: Encoded, whole: Encoded, length: int) -> bool:
    head = whole.vector[:length].astype(np.float64)
    return (
        cut.vector.dtype == np.float32
        and cut.vector.shape == (length,)
        and np.allclose(cut.vector, head / np.linalg.norm(head), atol=1e-6)
        and np.array_equal(cut.tokens, whole.tokens)
        and np.array_equal(cut.spans, whole.spans)
    )


@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize("pooling", ["mean", "cls"])  # by ONNX Runtime, by torch
def test_vectors_are_the_normalised_prefix_and_tokens_stay_whole(pooling: str, query: bool, tmp_path: Path) -> None:
    prompts = {"query": "query: ", "document": "document: "}
    folder = make_model(tmp_path / "m", pooling=pooling, prompts=prompts)
    whole = FolderEmbedder(folder, exports=tmp_path / "onnx")
    cut = PrefixEmbedder(whole, 5)
    for mine, theirs in zip(cut.encode(TEXTS, query=query), whole.encode(TEXTS, query=query), strict=True):
        assert is_prefix(mine, theirs, 5)
    assert cut.encode([]) == []
    assert cut.count_tokens(TEXTS) == whole.count_tokens(TEXTS)
    assert (cut.dimension, cut.max_tokens) == (5, whole.max_tokens)


def test_every_length_has_a_fingerprint_of_its_own(model: Path, tmp_path: Path) -> None:
    whole = FolderEmbedder(model, exports=tmp_path)
    prints = [whole.fingerprint, *(PrefixEmbedder(whole, length).fingerprint for length in (4, 8))]
    assert prints == [whole.fingerprint, f"{whole.fingerprint}:4d", f"{whole.fingerprint}:8d"]


def test_what_is_configured_is_loaded(tmp_path: Path) -> None:
    whole = load_embedder(settings(tmp_path))
    cut = load_embedder(settings(tmp_path, embedder_dimensions=128))
    assert cut.fingerprint == f"{whole.fingerprint}:128d"
    assert cut.dimension == 128
    assert is_prefix(cut.encode(TEXTS)[0], whole.encode(TEXTS)[0], 128)


def test_all_dimensions_are_no_prefix(tmp_path: Path) -> None:
    whole = load_embedder(settings(tmp_path))
    assert load_embedder(settings(tmp_path, embedder_dimensions=384)).fingerprint == whole.fingerprint


def test_the_model_s_own_prefix_is_the_default_and_the_setting_goes_before_it(model: Path, tmp_path: Path) -> None:
    whole = FolderEmbedder(model, exports=tmp_path / "onnx")
    folder = saying(model, tmp_path / "small-bert", truncate_dim=8)
    found = load_embedder(settings(tmp_path, embedder=folder))
    assert (found.dimension, found.fingerprint) == (8, f"{whole.fingerprint}:8d")
    assert is_prefix(found.encode(TEXTS)[0], whole.encode(TEXTS)[0], 8)
    all_of_it = load_embedder(settings(tmp_path, embedder=folder, embedder_dimensions=16))
    assert (all_of_it.dimension, all_of_it.fingerprint) == (16, whole.fingerprint)
    assert np.array_equal(all_of_it.encode(TEXTS)[0].vector, whole.encode(TEXTS)[0].vector)


@pytest.mark.parametrize("said", [None, 16, 99, 0, -1, "8", 2.5, True])
def test_what_a_folder_says_beyond_sense_cuts_nothing(said: object, model: Path, tmp_path: Path) -> None:
    assert prefix_wanted(saying(model, tmp_path / "m", truncate_dim=said), None) is None


@pytest.mark.parametrize("wanted", [1, 15, 385, 1000])
def test_too_few_or_too_many_say_what_the_model_has(wanted: int, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"is {wanted}, but .* 384 numbers") as caught:
        load_embedder(settings(tmp_path, embedder_dimensions=wanted))
    assert str(bundled_folder()) in caught.value.message
    assert "16 to 384" in caught.value.remedy


def test_a_folder_that_does_not_tell_is_found_out_at_the_first_text(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "m"))
    (folder / "modules.json").write_text("damaged")
    (folder / "config.json").write_text("{}")
    assert vector_length(folder) is None
    assert prefix_wanted(folder, 32) == 32
    with pytest.raises(ModelError, match="does not tell"):
        prefix_wanted(folder, 15)
    with pytest.raises(ModelError, match="is 65, but the embedder hash-1 has vectors of 64 numbers"):
        PrefixEmbedder(HashEmbedder(), 65).encode(["dense"])


def test_the_last_module_says_how_long_vectors_are(model: Path, tmp_path: Path) -> None:
    assert (vector_length(bundled_folder()), vector_length(model)) == (384, 16)
    folder = Path(shutil.copytree(model, tmp_path / "m"))
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "3_Dense").mkdir()
    (folder / "3_Dense" / "config.json").write_text('{"in_features": 16, "out_features": 40}')
    (folder / "modules.json").write_text(json.dumps([*modules, {"idx": 3, "name": "3", "path": "3_Dense"}]))
    assert vector_length(folder) == 40
    (folder / "modules.json").unlink()  # a bare transformer
    assert vector_length(folder) == 16


def test_a_library_does_not_mix_lengths(tmp_path: Path) -> None:
    file = tmp_path / "papers.json"
    file.write_text(LISTING)
    whole = HashEmbedder()
    embedders: list[Embedder] = [whole, PrefixEmbedder(whole, 32), PrefixEmbedder(whole, 16)]
    with closing(Library.open(tmp_path / "lib", library_fingerprint(whole))) as library:
        ingest([file], library, whole)
    for other in embedders[1:]:
        with pytest.raises(FingerprintError, match=f":{other.dimension}d"):
            Library.open(tmp_path / "lib", library_fingerprint(other))


def never(*_: object) -> NoReturn:
    raise AssertionError("embeddings are taken as they are")


def test_a_library_of_prefixes_keeps_whole_token_vectors_and_finds_by_prefix(tmp_path: Path) -> None:
    file = tmp_path / "papers.json"
    file.write_text(LISTING)
    whole = HashEmbedder()
    cut = PrefixEmbedder(whole, 32)
    with closing(Library.open(tmp_path / "lib", library_fingerprint(whole))) as library:
        ingest([file], library, whole)
    with closing(Library.open(tmp_path / "lib")) as library:
        rebuild(library, cut)
    with closing(Library.open(tmp_path / "lib", library_fingerprint(cut))) as library:
        assert library.dimension == 32
        assert library.verify().ok
        (paper,) = library.find()
        (passage,) = library.passages([paper.paper_id])[paper.paper_id]
        stored = library.encoded([passage.passage_id])[passage.passage_id]
        assert stored.vector.shape == (32,)
        assert stored.tokens.shape == (len(stored.spans), whole.dimension)
        (hit,) = library.nearest_vectors(stored.vector, 5)
        assert hit.score == pytest.approx(1)
        found = Retriever(library, cut, LateInteraction()).search("whales sing", Filters())
        assert [one.paper for one in found.papers] == [paper]
        export(library, tmp_path / "out.jsonl")
    with closing(Library.open(tmp_path / "other", library_fingerprint(cut))) as other:
        assert import_into(other, tmp_path / "out.jsonl", never).counts == {"added": 1}
        again = other.encoded([passage.passage_id])[passage.passage_id]
        assert np.array_equal(again.vector, stored.vector)
        assert np.array_equal(again.tokens, stored.tokens)
    with closing(Catalog(tmp_path / "lib")) as catalog:
        assert drop_implausible(catalog, "embeddings") == 0  # as after a damage
    with closing(Library.open(tmp_path / "lib")) as library, pytest.raises(LibraryError, match="32 finite numbers"):
        library.nearest_vectors(whole.encode(["whales"])[0].vector, 5)


def check(name: str) -> Check:
    return {found.name: found for found in diagnose()}[name]


def test_the_doctor_warns_where_the_bundled_model_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check("embedder").severity == "ok"
    monkeypatch.setenv("PAPERCHAT_EMBEDDER_DIMENSIONS", "128")
    found = check("embedder")
    assert found.severity == "warning"
    assert "128 of 384 dimensions" in found.message
    assert "nDCG" in found.message
    assert "PAPERCHAT_EMBEDDER_DIMENSIONS" in found.remedy
    monkeypatch.setenv("PAPERCHAT_EMBEDDER_DIMENSIONS", "384")
    assert check("embedder").severity == "ok"


def test_the_doctor_names_a_length_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_EMBEDDER_DIMENSIONS", "4096")
    found = check("embedder")
    assert found.severity == "error"
    assert "384 numbers" in found.message
    assert found.remedy


def test_the_doctor_is_content_with_the_prefix_of_another_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERCHAT_EMBEDDER", str(saying(model, tmp_path / "m", truncate_dim=8)))
    found = check("embedder")
    assert found.severity == "ok"
    assert "8 of 16 dimensions" in found.message


def test_the_doctor_says_that_a_library_was_built_otherwise(seed_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_EMBEDDER_DIMENSIONS", "128")
    found = check("fingerprint")
    assert found.severity == "error"
    assert ":128d" in found.message
    assert "paperchat library rebuild" in found.remedy
