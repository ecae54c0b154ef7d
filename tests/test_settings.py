"""Settings: every name documented, every number bounded, nothing misspelt accepted, no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le, Lt
from env_example import EXAMPLE, render

from rag.errors import SettingsError
from rag.settings import Settings, env_names, load_settings

SECRET = "sk-very-secret-0123456789"
NUMERIC = (int, float, int | None)


def numeric_bounds() -> list[tuple[str, float, float]]:
    """(variable, just below the lowest, just above the highest) of every numeric setting."""
    found = []
    for field, name in env_names().items():
        info = Settings.model_fields[field]
        if info.annotation not in NUMERIC:
            continue
        low = next((m.ge - 1 if isinstance(m, Ge) else m.gt) for m in info.metadata if isinstance(m, Ge | Gt))
        high = next((m.le + 1 if isinstance(m, Le) else m.lt) for m in info.metadata if isinstance(m, Le | Lt))
        found.append((name, low, high))
    return found


def test_the_example_file_lists_exactly_the_settings_with_defaults_and_meanings() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == render(), "run: python tests/env_example.py > .env.example"


def test_the_example_file_used_as_it_is_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAPERCHAT_HOME")
    defaults = load_settings()
    Path(".env").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_settings() == defaults


def test_every_numeric_setting_has_both_bounds() -> None:
    numeric = [name for name in Settings.model_fields if Settings.model_fields[name].annotation in NUMERIC]
    assert len(numeric_bounds()) == len(numeric) > 5


@pytest.mark.parametrize(("name", "low", "high"), numeric_bounds())
def test_numbers_outside_their_bounds_are_refused_by_name(
    name: str, low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (low, high, "many"):
        monkeypatch.setenv(name, str(value))
        with pytest.raises(SettingsError, match=name):
            load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAPERCHAT_ANSWERER", "gpt"),
        ("OPENAI_BASE_URL", "not a url"),
        ("OPENAI_BASE_URL", "file:///etc/passwd"),
        ("PAPERCHAT_PORT", "0"),
        ("PAPERCHAT_TIMEOUT_S", "nan"),
    ],
)
def test_values_of_the_wrong_kind_are_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_an_unknown_name_is_refused_with_the_likely_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_ANSWERRER", "quotes")
    with pytest.raises(SettingsError, match=r"PAPERCHAT_ANSWERRER.*Did you mean PAPERCHAT_ANSWERER"):
        load_settings()


def test_an_unknown_name_in_the_env_file_is_refused() -> None:
    Path(".env").write_text("PAPERCHAT_SORCES=3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"PAPERCHAT_SORCES.*PAPERCHAT_SOURCES"):
        load_settings()


def test_names_of_other_programs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORGANIZATION", "x")
    Path(".env").write_text("DATABASE_URL=y\n", encoding="utf-8")
    assert load_settings().sources == 5


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PAPERCHAT_SOURCES=7\nPAPERCHAT_RETRIES=4\n", encoding="utf-8")
    monkeypatch.setenv("PAPERCHAT_SOURCES", "9")
    settings = load_settings()
    assert (settings.sources, settings.retries) == (9, 4)


def test_a_tilde_in_a_path_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_HOME", "~/papers")
    assert load_settings().home == Path.home() / "papers"


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().sources = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "quotes"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}, "auto"),
        ({"OPENAI_API_KEY": SECRET}, "auto"),
        ({"OPENAI_API_KEY": SECRET, "PAPERCHAT_ROUTING": "false"}, "openai"),
        ({"OPENAI_API_KEY": SECRET, "PAPERCHAT_ANSWERER": "openai"}, "openai"),
        ({"OPENAI_MODEL": "llama"}, "quotes"),
        ({"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}, "quotes"),
        ({"OPENAI_API_KEY": SECRET, "PAPERCHAT_ANSWERER": "local"}, "local"),
    ],
)
def test_auto_chooses_only_where_an_endpoint_is_configured(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().effective_answerer == expected


def test_the_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    settings = load_settings()
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == SECRET
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown
        assert "very-secret" not in shown


def test_no_error_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", f"user:{SECRET}@host")
    monkeypatch.setenv("PAPERCHAT_PORT", SECRET)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.exit_code == 2


def test_a_password_in_the_url_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:sk-very-secret@llm.example/v1")
    with pytest.raises(SettingsError, match="OPENAI_API_KEY") as caught:
        load_settings()
    assert "sk-very-secret" not in str(caught.value)
