"""What one browser tab has chosen for its answers: who writes, how, from how many papers, of which time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pydantic import SecretStr

from rag.papers import Filters
from rag.settings import AnswererName, Settings, Style


@dataclass(frozen=True, slots=True)
class Preferences:
    """None means as the server is configured. The key is held in memory only, for this tab."""

    answerer: AnswererName | None = None
    style: Style | None = None
    sources: int | None = None
    published_from: date | None = None
    published_to: date | None = None
    base_url: str | None = None
    model: str | None = None
    api_key: SecretStr | None = None

    def settings(self) -> dict[str, object]:
        """What differs from the server's settings, by field name: for `Paperchat.adapted`.

        The server's key is for the server's address: another address gets this tab's key, or none.
        """
        chosen: dict[str, object] = {
            "answerer": self.answerer,
            "style": self.style,
            "sources": self.sources,
            "openai_base_url": self.base_url,
            "openai_model": self.model,
            "openai_api_key": self.api_key,
        }
        assert set(chosen) <= set(Settings.model_fields)
        changes = {name: value for name, value in chosen.items() if value is not None}
        return changes if self.base_url is None else {**changes, "openai_api_key": self.api_key}

    @property
    def period(self) -> Filters:
        """The papers' dates that answers may draw on."""
        return Filters(published_from=self.published_from, published_to=self.published_to)
