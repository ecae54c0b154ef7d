"""Settings to generator: nothing hosted by default, and any llama-index LLM instead of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any, Literal

import pytest
from llama_index.core.llms import MockLLM

from rag.errors import ModelError, SettingsError
from rag.models import tokens
from rag.models.interfaces import Message
from rag.models.llm import as_generator, context_budget, make_generator
from rag.models.local_llm import LocalGenerator
from rag.models.openai_llm import OpenAIGenerator
from rag.settings import Settings
from tests.fake_llm import ScriptedGenerator


@pytest.fixture(autouse=True)
def _no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_nothing_hosted_without_a_url_or_a_key() -> None:
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL"):
        make_generator(settings(), "openai")


def test_a_url_alone_never_means_openai() -> None:
    model = make_generator(settings(openai_base_url="http://127.0.0.1:11434/v1", openai_model="m"), "openai")
    assert isinstance(model, OpenAIGenerator)
    assert (model.host, model.model) == ("127.0.0.1:11434", "m")


def test_a_key_alone_means_openai() -> None:
    model = make_generator(settings(openai_api_key="sk-1"), "openai")
    assert isinstance(model, OpenAIGenerator)
    assert model.host == "api.openai.com"


@pytest.mark.parametrize("key", ["sk-\n1", "sk-ключ"])
def test_a_key_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY") as caught:
        make_generator(settings(openai_api_key=key), "openai")
    assert key not in str(caught.value)


def test_local_is_the_bundled_model_with_a_small_context() -> None:
    model = make_generator(settings(), "local")
    assert isinstance(model, LocalGenerator)
    assert model.path.suffix == ".gguf"
    assert context_budget(settings(), "local") < context_budget(settings(), "openai") == settings().context_tokens
    assert model.n_ctx > context_budget(settings(), "local") + settings().answer_tokens


def test_local_by_path(tmp_path: Any) -> None:
    model = make_generator(settings(local_model=tmp_path / "no.gguf"), "local")
    with pytest.raises(ModelError, match=r"no\.gguf"):
        list(model.stream([Message("user", "Hi")], max_tokens=1))


def test_a_llama_index_llm_serves_as_generator() -> None:
    model = as_generator(MockLLM(max_tokens=4))
    pieces = list(model.stream([Message("user", "a b c d e f")], max_tokens=100))
    assert "".join(piece.text for piece in pieces)
    assert pieces[-1].finish_reason == "stop"
    assert list(model.stream([Message("user", "a b c d e f")], max_tokens=1))[-1].finish_reason == "length"


def test_a_llama_index_llm_is_stopped_between_two_pieces() -> None:
    stop = threading.Event()
    pieces = as_generator(MockLLM(max_tokens=6)).stream(
        [Message("user", "a b c d e f")], max_tokens=100, cancelled=stop
    )
    next(pieces)
    stop.set()
    assert list(pieces) == []


@pytest.mark.parametrize("answerer", ["openai", "local"])
def test_what_takes_a_schema_says_so(answerer: Literal["openai", "local"]) -> None:
    model = make_generator(settings(openai_base_url="http://127.0.0.1:1/v1"), answerer)
    assert model.structured == (answerer == "openai")
    assert not as_generator(MockLLM()).structured


def test_a_generator_stays_what_it_is() -> None:
    model = ScriptedGenerator()
    assert as_generator(model) is model


def test_tokens_are_counted_offline_with_a_margin() -> None:
    text = "Retrieval-augmented generation in 2024: 69.32 on MTEB. <|endoftext|> " * 20
    exact = len(tokens._encoding().encode(text, disallowed_special=()))  # type: ignore[union-attr]
    assert exact * 1.15 <= tokens.count_tokens(text) <= exact * 1.15 + 1
    assert tokens.count_tokens("") == 0


def test_without_the_bundled_file_tokens_are_estimated_and_nothing_is_downloaded(tmp_path: Any) -> None:
    code = "from rag.models.tokens import count_tokens; print(count_tokens('word ' * 100))"
    empty = tmp_path / "encodings"
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(empty)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert 115 <= int(done.stdout) <= 400
    assert not empty.exists()
