"""Engines for one person each on one library: settings and endpoint of one's own, everything else shared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fake_llm import ScriptedGenerator
from hypothesis import given
from hypothesis import strategies as st
from library_helpers import HashEmbedder, fill, many_papers, paper
from pydantic import SecretStr
from stub_endpoint import answer, endpoint

from rag.answer.adapted import ADAPTABLE, adapted_settings
from rag.answer.answer import Finished, TextDelta
from rag.answer.pipeline import Paperchat
from rag.errors import SettingsError
from rag.settings import Settings

SECRET = "sk-secret-0123456789"
ZEBRA = paper("Zebras count stripes", "Zebras count 42 stripes on every leg.", published=date(2024, 5, 1))
ASKED = "How many stripes do zebras count?"


def base(home: Path, **fields: object) -> Settings:
    return Settings(_env_file=None, home=home, **fields)


@pytest.fixture
def engine(home: Path) -> Iterator[Paperchat]:
    """A small library without a model, and an endpoint that nothing listens at."""
    fields = {"openai_base_url": "http://127.0.0.1:9/v1", "openai_api_key": SECRET, "answerer": "quotes"}
    engine = Paperchat(base(home, **fields), embedder=HashEmbedder())
    library = engine.opened_library(make=True)
    assert library
    fill(library, [*many_papers(10), ZEBRA])
    yield engine
    engine.close()


class TestSharing:
    """What there is once, and what each has."""

    def test_library_embedder_and_reranker_are_the_same(self, engine: Paperchat) -> None:
        other = engine.adapted(style="short")
        assert other.library is engine.library
        assert other.embedder is engine.embedder
        assert other._use.retriever._reranker is engine._use.retriever._reranker
        assert other.settings.style == "short"
        assert engine.settings.style == "standard"
        assert other.ask(ASKED).style == "short"
        assert engine.ask(ASKED).style == "standard"

    def test_the_local_model_is_the_same_while_its_settings_are(self, engine: Paperchat, tmp_path: Path) -> None:
        own = engine._use.generator("local")
        assert engine.adapted(style="short", sources=3)._use.generator("local") is own
        assert engine.adapted(answer_tokens=64)._use.generator("local") is not own
        assert engine.adapted(local_model=tmp_path / "other.gguf")._use.generator("local") is not own
        again = engine.adapted(local_model=tmp_path / "other.gguf")
        assert again._use.generator("local") is engine.adapted(local_model=tmp_path / "other.gguf")._use.generator(
            "local"
        )

    def test_a_generator_given_by_the_program_stays(self, home: Path, engine: Paperchat) -> None:
        given_one = ScriptedGenerator([])
        engine = Paperchat(engine.settings, embedder=engine.embedder, generator=given_one)
        assert engine.adapted(openai_model="other")._use.generator("openai") is given_one

    def test_closing_it_leaves_the_others_open(self, engine: Paperchat) -> None:
        one, two = engine.adapted(style="short"), engine.adapted(style="plain")
        stream = one.stream(ASKED)
        next(stream)
        one.close()
        assert isinstance([*stream][-1], Finished)  # an answer under way goes on
        assert two.ask(ASKED).style == "plain"
        assert engine.ask(ASKED).citations
        assert two.adapted(style="bullets").settings.style == "bullets"

    def test_what_is_added_to_the_library_is_seen_by_all(self, engine: Paperchat) -> None:
        other = engine.adapted(sources=3)
        fill(engine.library, [paper("Okapis hum", "Okapis hum at 14 hertz in the forest.")])
        assert other.ask("At how many hertz do okapis hum?").citations[0].paper.title == "Okapis hum"


class TestEndpoint:
    """Each asks its own endpoint, with its own key."""

    def test_two_tabs_ask_two_endpoints_with_two_keys(self, engine: Paperchat) -> None:
        said = "Zebras count 42 stripes on every leg."
        with endpoint(answer(said)) as first, endpoint(answer(said)) as second:
            for stub, key, model in ((first, "sk-one-11111111", "m1"), (second, "sk-two-22222222", "m2")):
                own = engine.adapted(
                    answerer="openai", routing=False, openai_base_url=stub.url, openai_api_key=key, openai_model=model
                )
                found = own.ask(ASKED)
                assert found.answerer == "openai"
                assert {head["authorization"] for head in stub.headers} == {f"Bearer {key}"}
                assert {request["model"] for request in stub.requests} == {model}
                own.close()

    def test_closing_while_the_endpoint_writes_lets_the_answer_end(self, engine: Paperchat) -> None:
        said = "Zebras count 42 stripes on every leg. " * 3
        with endpoint(answer(said, piece=8, pause=0.02)) as stub:
            own = engine.adapted(answerer="openai", routing=False, openai_base_url=stub.url, openai_api_key="sk-1")
            stream = own.stream(ASKED)
            for event in stream:
                if isinstance(event, TextDelta):
                    own.close()
                    break
            assert isinstance([*stream][-1], Finished)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://127.0.0.1:9/v2", None])
    def test_the_configured_key_never_goes_to_another_address(self, engine: Paperchat, url: str | None) -> None:
        assert engine.adapted(openai_base_url=url).settings.openai_api_key is None

    def test_it_goes_to_the_configured_address_under_another_model(self, engine: Paperchat) -> None:
        for changes in ({"openai_model": "other"}, {"openai_base_url": "http://127.0.0.1:9/v1"}):
            key = engine.adapted(**changes).settings.openai_api_key
            assert key is not None
            assert key.get_secret_value() == SECRET
        assert engine.adapted(openai_api_key=None).settings.openai_api_key is None

    def test_a_key_given_with_the_address_is_used(self, engine: Paperchat) -> None:
        own = engine.adapted(openai_base_url="http://127.0.0.1:1/v1", openai_api_key=SecretStr("sk-mine"))
        assert own.settings.openai_api_key == SecretStr("sk-mine")


class TestSettings:
    """Checked as the environment's are, and never shown."""

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"sources": 99}, "sources: "),
            ({"style": "epic"}, "style: "),
            ({"openai_base_url": "nonsense"}, "openai_base_url: "),
            ({"openai_base_url": "http://me:pass@host/v1"}, "openai_base_url: "),
            ({"openai_api_key": 12345}, "openai_api_key: "),
            ({"openai_api_key": SECRET, "sources": "many"}, "sources: "),
            ({"home": "/elsewhere"}, "home belongs to the server"),
            ({"embedder": None}, "embedder belongs to the server"),
            ({"colour": SECRET}, "colour is no setting"),
        ],
    )
    def test_a_wrong_one_is_named_without_its_value(
        self, engine: Paperchat, changes: dict[str, object], named: str
    ) -> None:
        with pytest.raises(SettingsError, match=named) as caught:
            engine.adapted(**changes)
        shown = f"{caught.value} {caught.value.__context__!r} {caught.value.__cause__!r}"
        assert SECRET not in shown
        assert "12345" not in shown
        assert "pass@" not in shown

    def test_the_environment_is_not_read_again(self, engine: Paperchat, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "http://env.example/v1")
        monkeypatch.setenv("PAPERCHAT_SOURCES", "9")
        Path(".env").write_text("PAPERCHAT_STYLE=short\n")
        own = engine.adapted(answerer="quotes").settings
        assert own == engine.settings
        assert type(own) is Settings

    def test_text_is_read_as_in_the_environment(self, engine: Paperchat) -> None:
        assert engine.adapted(sources="7").settings.sources == 7

    def test_what_may_differ_is_a_setting(self) -> None:
        assert set(Settings.model_fields) > ADAPTABLE
        assert {"home", "embedder", "reranker", "host", "port"}.isdisjoint(ADAPTABLE)


@given(changes=st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), st.none() | st.integers() | st.text()))
def test_whatever_is_given_there_are_settings_or_a_sentence(changes: dict[str, object]) -> None:
    settings = Settings(_env_file=None)
    try:
        found = adapted_settings(settings, changes)
    except SettingsError:
        return
    untouched = set(Settings.model_fields) - set(changes) - {"openai_api_key"}
    assert all(getattr(found, name) == getattr(settings, name) for name in untouched)
