"""The settings of one person who shares an engine: some of its own, checked as those of the environment are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from rag.errors import SettingsError
from rag.settings import Settings

# What decides how a question is answered; everything else belongs to the library and the server.
ADAPTABLE = frozenset(
    "answerer routing style samples openai_base_url openai_api_key openai_model local_model sources "
    "context_tokens answer_tokens timeout_s retries question_chars".split()
)


class _Given(Settings):
    """Settings that look neither at the environment nor at `.env`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given."""
        return (init_settings,)


def adapted_settings(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """`settings` with `changes` by field name, checked.

    The configured key goes to the configured address only: with another `openai_base_url` and no
    `openai_api_key` beside it there is none.

    Raises:
        SettingsError: a field that is unknown, may not differ, or has a wrong value; the message names
            the field and never its value.
    """
    if others := sorted(set(changes) - ADAPTABLE):
        known = [name for name in others if name in Settings.model_fields]
        why = "belongs to the server and is the same for everybody" if known else "is no setting"
        raise SettingsError(f"{(known or others)[0]} {why}.", f"What may differ: {', '.join(sorted(ADAPTABLE))}.")
    try:
        checked = _Given(**{**dict(settings), **changes})
    except ValidationError as error:
        problems = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_input=False))
    else:
        update = {name: getattr(checked, name) for name in changes}
        if checked.openai_base_url != settings.openai_base_url and "openai_api_key" not in changes:
            update["openai_api_key"] = None
        return settings.model_copy(update=update)
    # Outside of `except`: pydantic's error holds the values, a key among them.
    raise SettingsError(f"Settings are wrong: {problems}.", "Correct them, or go back to the defaults.")
