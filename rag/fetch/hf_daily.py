"""Days of Hugging Face Daily Papers, as the hub's API gives them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from rag.errors import FetchError
from rag.fetch.answers import Fetched, Validators
from rag.fetch.client import PoliteClient

PAGE = 100  # the most papers that the API gives at once
MOST_PAGES = 20
FIRST_DAY = date(2023, 5, 4)  # the first Daily Papers


@dataclass(frozen=True, slots=True)
class Listing:
    """The JSON list of one day, `papers` long; `validators` are false where a later change could be missed."""

    data: bytes
    papers: int
    validators: Validators


class DailyPapers:
    """Asks the hub at `base_url` for days."""

    def __init__(self, client: PoliteClient, base_url: str) -> None:
        self._client, self._base = client, base_url.rstrip("/")

    def day(self, day: date, known: Validators | None = None) -> Listing | None:
        """What was listed on a day; None where it has not changed since `known`.

        Raises:
            FetchError: as `PoliteClient.get`, and for what is no JSON list.
        """
        first = self._client.get(self._url(day, 0), accept="application/json", known=known)
        if first is None:
            return None
        rows = _rows(first, day)
        data, validators = first.data, first.validators
        # A page may hold fewer than asked for while more follow, never as few as half.
        page, last = 1, rows
        while len(last) > PAGE // 2 and page < MOST_PAGES:
            further = self._client.get(self._url(day, page), accept="application/json")
            last = _rows(further, day) if further else []
            rows, page = rows + last, page + 1
            if last:  # the first page does not tell whether these change
                data, validators = b"", Validators()
        return Listing(data or json.dumps(rows).encode(), len(rows), validators)

    def _url(self, day: date, page: int) -> str:
        query = {"date": day.isoformat(), "limit": PAGE} | ({"p": page} if page else {})
        return f"{self._base}/api/daily_papers?{urlencode(query)}"


def _rows(fetched: Fetched, day: date) -> list[Any]:
    try:
        rows = json.loads(fetched.data)
    except (ValueError, RecursionError):
        raise FetchError(f"What the hub sent for {day} is no JSON.", "Try again later.") from None
    if not isinstance(rows, list):
        raise FetchError(f"What the hub sent for {day} is no list of papers.", "Check PAPERCHAT_HUB_URL.")
    return rows
