"""One settings model, read from the environment and from `.env` in the working folder.

`PAPERCHAT_*` names are ours and an unknown one is refused; `OPENAI_*` names are those that
every OpenAI-compatible tool reads.
"""

from __future__ import annotations

import difflib
import os
import re
from functools import cached_property
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.errors import SettingsError

PREFIX = "PAPERCHAT_"
DOTENV = ".env"
ACCOUNT = re.compile(r"[^\s:]+:\$argon2(?:id|i|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
TOKEN_USER = "token"  # as which a browser may log in with the token
AnswererName = Literal["auto", "quotes", "openai", "local"]
Style = Literal["standard", "short", "detailed", "plain", "bullets"]


class Settings(BaseSettings):
    """Every setting with its default and bounds; frozen, passed to whoever needs it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=DOTENV, extra="ignore", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("paperchat", appauthor=False),
        description="Folder that holds the library and all state; empty means the platform's user data folder.",
    )
    answerer: AnswererName = Field(
        default="auto",
        description="Who writes the answer: quotes, openai, local, or auto (with an endpoint both, else quotes).",
    )
    routing: bool = Field(
        default=True,
        description="With auto and an endpoint, facts are quoted at once; false sends every question to the model.",
    )
    style: Style = Field(
        default="standard", description="How answers are written: standard, short, detailed, plain or bullets."
    )
    samples: int = Field(
        default=0,
        ge=0,
        le=10,
        description="How many more answers to sample from a language model to judge its certainty; 0 saves the time.",
    )
    openai_base_url: AnyHttpUrl | None = Field(
        default=None,
        validation_alias="OPENAI_BASE_URL",
        description="URL of an OpenAI-compatible endpoint, up to and with /v1.",
    )
    openai_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="OPENAI_API_KEY",
        description="Key for that endpoint; never stored, logged or shown.",
    )
    openai_model: str = Field(
        default="gpt-4o-mini",
        validation_alias="OPENAI_MODEL",
        min_length=1,
        description="Model name to ask the endpoint for.",
    )
    local_model: Path | None = Field(
        default=None, description="A GGUF file for the local answerer; empty means the bundled SmolLM2-135M-Instruct."
    )
    embedder: Path | None = Field(
        default=None, description="Folder of a sentence-transformers model; empty means the bundled all-MiniLM-L6-v2."
    )
    embedder_dimensions: int | None = Field(
        default=None,
        ge=1,
        le=65_536,
        description="Cut vectors to their first so many numbers, for a Matryoshka model; empty means the model's own.",
    )
    reranker: str = Field(
        default="linear",
        min_length=1,
        description="linear, late-interaction, none, or a sentence-transformers CrossEncoder by folder or name.",
    )
    sources: int = Field(default=5, ge=1, le=20, description="How many papers an answer may draw on.")
    context_tokens: int = Field(
        default=3000, ge=200, le=100_000, description="Budget for passages in an LLM's prompt, in tokens."
    )
    answer_tokens: int = Field(
        default=400, ge=16, le=8000, description="The longest answer an LLM may write, in tokens."
    )
    timeout_s: float = Field(default=60.0, gt=0, le=3600, description="Seconds to wait for an endpoint's next words.")
    retries: int = Field(default=2, ge=0, le=10, description="How often a busy or failing endpoint is asked again.")
    question_chars: int = Field(
        default=4000, ge=100, le=100_000, description="The longest question that is accepted, in characters."
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address the chat is served on; one that other machines reach needs a log-in or a token.",
    )
    port: int = Field(default=7860, ge=1, le=65535, description="Port the chat is served on.")
    auth: SecretStr | None = Field(
        default=None,
        description="Who may log in: user:hash as `paperchat password` prints it, in single quotes; several by spaces.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="A token for programs, sent as a bearer token; 20 characters or more.",
    )
    names: str = Field(
        default="",
        description="Names a proxy serves the chat under, by commas, as papers.example.org; needs a log-in or token.",
    )

    hub_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://huggingface.co/"),
        description="Where `paperchat sync` asks for the Daily Papers; a mirror may stand in.",
    )
    arxiv_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://export.arxiv.org/"),
        description="Where `paperchat arxiv` asks for papers; a mirror may stand in.",
    )
    max_file_mb: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="The largest file that is read, in MB; others are refused unread.",
    )
    allow_private_urls: bool = Field(
        default=False,
        description="Whether `paperchat ingest URL` may fetch from this machine and the local network.",
    )

    @field_validator("openai_base_url", "hub_url", "arxiv_url")
    @classmethod
    def _no_secret_in_url(cls, value: AnyHttpUrl | None, info: ValidationInfo) -> AnyHttpUrl | None:
        """A URL is shown in messages; a password belongs where it is kept secret."""
        if value is not None and (value.username or value.password):
            key = "; put the key in OPENAI_API_KEY" if info.field_name == "openai_base_url" else ""
            raise ValueError(f"holds a user name or password{key}")
        return value

    @field_validator("auth")
    @classmethod
    def _only_hashes(cls, value: SecretStr | None) -> SecretStr | None:
        """A password itself has no place in settings; the message must not repeat it."""
        for entry in value.get_secret_value().split() if value else ():
            if not ACCOUNT.fullmatch(entry):
                raise ValueError("must be user:hash; `paperchat password` asks for a password and prints that")
            if entry.startswith(f"{TOKEN_USER}:"):
                raise ValueError(f"names a user {TOKEN_USER!r}, as which whoever has the token logs in; choose another")
        return value

    @field_validator("token")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value() if value else None
        if text is not None and not re.fullmatch(r"[!-~]{20,}", text):
            raise ValueError("must be 20 characters or more, without spaces")
        return value

    @field_validator("home", "local_model", "embedder")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else value

    @cached_property
    def library_folder(self) -> Path:
        """Where the library lives below `home`."""
        return self.home / "library"

    @property
    def accounts(self) -> dict[str, str]:
        """User name -> argon2 hash of who may log in; empty without a log-in."""
        entries = self.auth.get_secret_value().split() if self.auth else ()
        return dict(entry.split(":", 1) for entry in entries)

    @property
    def further_names(self) -> frozenset[str]:
        """The host names of `names`, in small letters."""
        return frozenset(name.strip().lower() for name in self.names.split(",") if name.strip())

    @property
    def effective_answerer(self) -> AnswererName:
        """`auto` resolved as far as settings can: quotes without an endpoint, the endpoint without routing."""
        if self.answerer != "auto":
            return self.answerer
        if not (self.openai_base_url or self.openai_api_key):
            return "quotes"
        return "auto" if self.routing else "openai"


def load_settings(**given: object) -> Settings:
    """Read and check the settings; `given` by field name replaces what is configured, None does not.

    Raises:
        SettingsError: an unknown `PAPERCHAT_` name, or a value out of bounds; values of
            secrets never appear in the message.
    """
    _refuse_unknown_names()
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(f"{_env_name(str(e['loc'][0]))}: {e['msg']}" for e in error.errors(include_input=False))
        raise SettingsError(f"Settings are wrong: {problems}.", "See .env.example for every setting.") from None


def env_names() -> dict[str, str]:
    """Field name -> the environment variable that sets it."""
    return {name: _env_name(name) for name in Settings.model_fields}


def _env_name(field: str) -> str:
    info = Settings.model_fields.get(field)
    alias = info.validation_alias if info else None
    if isinstance(alias, str):
        return alias
    return field if info is None else f"{PREFIX}{field.upper()}"


def _refuse_unknown_names() -> None:
    known = set(env_names().values())
    given = set(os.environ) | set(dotenv_values(DOTENV) if Path(DOTENV).is_file() else {})
    for name in sorted(n for n in given if n.upper().startswith(PREFIX) and n.upper() not in known):
        near = difflib.get_close_matches(name.upper(), known, n=1)
        hint = f"Did you mean {near[0]}?" if near else "See .env.example for every setting."
        raise SettingsError(f"Unknown setting {name}.", hint)
