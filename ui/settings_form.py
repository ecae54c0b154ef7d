"""What a person typed into the settings view, and what of it can be used."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from typing import get_args
from urllib.parse import urlsplit

from annotated_types import Ge, Le
from pydantic import AnyHttpUrl, SecretStr, TypeAdapter, ValidationError

from rag.settings import AnswererName, Settings, Style
from ui.preferences import Preferences
from ui.web.hosts import is_loopback

ANSWERERS: tuple[AnswererName, ...] = get_args(AnswererName)
STYLES: tuple[Style, ...] = get_args(Style)
_BOUNDS = Settings.model_fields["sources"].metadata
LEAST_SOURCES = next(int(str(bound.ge)) for bound in _BOUNDS if isinstance(bound, Ge))
MOST_SOURCES = next(int(str(bound.le)) for bound in _BOUNDS if isinstance(bound, Le))
MAX_TYPED = 2000  # characters of one field; more is no setting
OPENAI_HOST = "api.openai.com"  # where a key goes that comes without an address
COMPLETIONS = "/chat/completions"
_URL = TypeAdapter(AnyHttpUrl)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and the origin of the endpoint that it was entered for: it is sent nowhere else."""

    value: SecretStr
    origin: str


@dataclass(slots=True)
class Form:
    """The fields as they were typed, empty where nothing was; the key stays in memory.

    `key_forgotten` says that there was a key, for another endpoint than the one that holds now.
    `listed` is the endpoint whose models are known; `asked` counts what was sent to endpoints, since only
    the latest may show what came of it, and `said` is what the page says of that. `cleared` counts how often
    everything was given up.
    """

    answerer: str = ""
    style: str = ""
    sources: str = ""
    published_from: str = ""
    published_to: str = ""
    base_url: str = ""
    model: str = ""
    key: Key | None = None
    key_forgotten: bool = False
    listed: tuple[str, SecretStr | None] | None = None
    asked: int = 0
    said: str = field(default="", metadata={"told": True})  # by the page, not to it
    cleared: int = 0

    def fill(self, name: object, typed: object) -> bool:
        """Take one field from the browser, which may send anything; whether there is such a field.

        A key comes by `take_endpoint` only: the page has no other way to send one.
        """
        if not (isinstance(name, str) and isinstance(typed, str)) or name not in _TYPED:
            return False
        setattr(self, name, typed.strip()[:MAX_TYPED])
        return True

    def take_endpoint(self, address: str, key: str, server: Settings) -> str:
        """Take the fields of the address and of the key, which is empty where no other was entered.

        A key is for the endpoint that holds once both are taken. With the next endpoint it is forgotten:
        nobody said that it may be sent there. Returns a sentence where the key cannot be taken, empty otherwise.
        The same again, as when a field is left and the test begun by one click, changes nothing; a key that cannot
        be taken ends what is said of the endpoint.
        """
        before = self.base_url, self.key
        problem = self._take(address, key, server)
        if problem or (self.base_url, self.key) != before:
            self.next_request()
        return problem

    def _take(self, address: str, key: str, server: Settings) -> str:
        self.fill("base_url", address)
        origin, entered = endpoint_origin(self.base_url, server), key.strip()
        if self.key and self.key.origin != origin:
            self.key, self.key_forgotten = None, True
        if not entered:
            return ""
        if not (entered.isascii() and entered.isprintable()) or " " in entered or len(entered) > MAX_TYPED:
            return "That is no key: it holds characters that no key has. Copy it again."
        if not origin:
            return "The key was not taken, as it is not clear where it belongs. Enter it again with the right address."
        self.key, self.key_forgotten = Key(SecretStr(entered), origin), False
        return ""

    def forget_key(self) -> None:
        """The key is wanted no more."""
        self.key, self.key_forgotten = None, False
        self.next_request()

    def clear(self) -> None:
        """Everything as the server is configured."""
        for name in _TYPED:
            setattr(self, name, "")
        self.cleared += 1
        self.forget_key()

    def next_request(self) -> int:
        """What was asked before is of no interest any more; the number of what is asked now."""
        self.listed, self.asked, self.said = None, self.asked + 1, ""
        return self.asked


_TYPED = frozenset(f.name for f in fields(Form) if f.type == "str" and "told" not in f.metadata)


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be used of a form, and for each field that cannot, a sentence that says why."""

    preferences: Preferences
    problems: dict[str, str] = field(default_factory=dict)


def read(form: Form, server: Settings, local_problem: str = "") -> Reading:
    """The preferences in a form. A field with a problem, or with the server's own value, counts as not chosen.

    `local_problem` says why there is no local model, if there is none.
    """
    problems: dict[str, str] = {}
    base_url, model, key = None, None, None
    if offers_endpoint(server):
        base_url = _address(form.base_url, server, problems)
        model = form.model if form.model != server.openai_model else None
        here = endpoint_origin(form.base_url, server)
        key = form.key.value if form.key and form.key.origin == here else None
    first, last = _period(form, problems)
    endpoint = Preferences(base_url=base_url, model=model or None, api_key=key)
    answerer = _answerer(form.answerer, server, endpoint_host(endpoint, server), local_problem, problems)
    return Reading(
        Preferences(
            answerer=answerer if answerer != server.answerer else None,
            style=next((style for style in STYLES if style == form.style != server.style), None),
            sources=_sources(form.sources, server, problems),
            published_from=first,
            published_to=last,
            base_url=base_url,
            model=endpoint.model,
            api_key=key,
        ),
        problems,
    )


def offers_endpoint(server: Settings) -> bool:
    """Whether a tab may bring an endpoint of its own: only where nobody but this machine's own people come.

    The server sends requests to whatever address is typed. Somebody elsewhere could reach services
    behind it that way; so off loopback, with a log-in or behind a proxy there is only the endpoint
    that the server is configured with.
    """
    return is_loopback(server.host) and not (server.auth or server.token or server.names)


def endpoint_host(preferences: Preferences, server: Settings) -> str:
    """The host that a language model would be asked at; empty where there is no endpoint."""
    address = preferences.base_url or (str(server.openai_base_url) if server.openai_base_url else "")
    if address:
        return urlsplit(address).netloc
    return OPENAI_HOST if preferences.api_key or server.openai_api_key else ""


def endpoint_origin(typed: str, server: Settings) -> str:
    """Scheme, host and port that a language model would be asked at; empty where `typed` is no usable address."""
    own = server.openai_base_url or _URL.validate_python(f"https://{OPENAI_HOST}")
    url = _parsed(typed)[0] if typed else own
    return f"{url.scheme}://{url.host}:{url.port}" if url else ""


def _answerer(
    typed: str, server: Settings, host: str, local_problem: str, problems: dict[str, str]
) -> AnswererName | None:
    name = next((answerer for answerer in ANSWERERS if answerer == typed), None)
    if name == "openai" and not host:
        how = (
            "Enter an address or a key below" if offers_endpoint(server) else "Whoever runs this server can set one up"
        )
        problems["answerer"] = f"There is no endpoint yet. {how}; until then answers come as the server is configured."
        return None
    if name == "local" and local_problem:
        problems["answerer"] = local_problem
        return None
    return name


def _address(typed: str, server: Settings, problems: dict[str, str]) -> str | None:
    """The typed address; None where it is the server's own. Messages never repeat it: it may hold a secret."""
    if not typed:
        return None
    url, problem = _parsed(typed)
    if url is None:
        problems["base_url"] = problem
        return None
    own = str(server.openai_base_url or "").rstrip("/")
    return str(url) if str(url).rstrip("/") != own else None


def _parsed(typed: str) -> tuple[AnyHttpUrl | None, str]:
    """An address that can be used, or why it cannot."""
    try:
        url = _URL.validate_python(typed)
    except ValidationError:
        url = None
    if url is None or not url.host:
        return None, "That is no web address. One looks like http://localhost:11434/v1."
    if url.username or url.password:
        return None, "An address holds no user name or password. Put the key into its own field."
    if url.query or url.fragment:
        return None, "An address has no ? or # in it. It mostly ends in /v1."
    if (url.path or "").rstrip("/").endswith(COMPLETIONS):
        return None, f"Leave out {COMPLETIONS}: the address mostly ends in /v1."
    return url, ""


def _sources(typed: str, server: Settings, problems: dict[str, str]) -> int | None:
    if not typed:
        return None
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0
    if not LEAST_SOURCES <= number <= MOST_SOURCES:
        problems["sources"] = (
            f"An answer can draw on {LEAST_SOURCES} to {MOST_SOURCES} papers; until then it is {server.sources}."
        )
        return None
    return number if number != server.sources else None


def _period(form: Form, problems: dict[str, str]) -> tuple[date | None, date | None]:
    """Both days or none of them: half a range would answer another question than was meant."""
    days: list[date | None] = []
    for typed in (form.published_from, form.published_to):
        try:
            days.append(date.fromisoformat(typed) if typed else None)
        except ValueError:
            problems["period"] = "A day looks like 2021-08-19; until then papers of all dates are used."
            return None, None
    first, last = days
    if first and last and first > last:
        problems["period"] = "The last day is before the first; until then papers of all dates are used."
        return None, None
    return first, last
