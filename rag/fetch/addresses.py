"""Which addresses may be asked: http and https, and nothing that stands in this machine or its network."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

import httpx

from rag.errors import FetchRefusedError, FetchUnreachableError

LONGEST_URL = 2000
LONGEST_SHOWN = 120
HOST = re.compile(rb"[A-Za-z0-9._:-]+")
SECRET = re.compile(  # in the name of a parameter: of signed addresses, sessions and keys
    r"(?:^|[^a-z])(?:sig|key|auth|sid|pwd|pass|code|hmac)(?:[^a-z]|$)|signature|token|secret|passw|credential|session|"
    r"api_?key|access_?key|oauth|authorization|jwt|ticket|^x-(?:amz|goog|ms)-",
    re.IGNORECASE,
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # stands for the IPv4 address in its last four bytes
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]


def checked_url(url: str) -> httpx.URL:
    """A URL that can be asked, in one spelling.

    Raises:
        FetchRefusedError: it is none, has another scheme than http and https, or holds a user name or password.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchRefusedError(f"{shown(url)} is no web address: {error}.", "Give one like https://…") from None
    if len(url) > LONGEST_URL:
        raise FetchRefusedError(f"{shown(url)} is longer than {LONGEST_URL} characters.", "Give a shorter one.")
    if parsed.scheme not in {"http", "https"}:
        raise FetchRefusedError(f"{shown(url)} begins with neither http:// nor https://.", "Give such an address.")
    if not HOST.fullmatch(parsed.raw_host) or not 0 < (parsed.port or 80) < 65536:
        raise FetchRefusedError(f"{shown(url)} names no host.", "Check the address.")
    if parsed.userinfo:
        raise FetchRefusedError(f"The address at {parsed.host} holds a user name or password.", "Leave them out.")
    return parsed


def origin(url: httpx.URL) -> tuple[str, int]:
    """Host and port of a checked URL, as connections name them."""
    return url.raw_host.decode("ascii").lower(), url.port or {"http": 80, "https": 443}[url.scheme]


def shown(url: httpx.URL | str) -> str:
    """A URL for a message: without query, user and password, and not too long."""
    text = "".join(c if c.isprintable() else "?" for c in str(url)).split("?", 1)[0].split("#", 1)[0]
    scheme, separator, rest = text.partition("://")
    if separator:
        host, slash, path = rest.partition("/")
        text = f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def without_secrets(url: str) -> str:
    """A URL to keep: without query or fragment where that holds a key, a signature or a token of whoever gave it.

    Such an address serves that person, for a time; what is kept goes into exports and backups.
    """
    kept, mark, fragment = url.partition("#")
    address, _, query = kept.partition("?")
    if _names_secret(query):
        kept = address
    return kept if _names_secret(fragment) else kept + mark + fragment


def _names_secret(query: str) -> bool:
    names = (pair.partition("=")[0] for pair in re.split("[&;?]", query))
    return any(SECRET.search(unquote(name)) for name in names)


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host, the one to try first in front.

    Raises:
        FetchUnreachableError: there is none.
    """
    if _is_address(host):
        return [host]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FetchUnreachableError(
            f"{host} cannot be found: {reason}.", "Check the name, and that the network is reachable."
        ) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str, *, private_too: bool = False) -> bool:
    """Whether an IP address is one of the public network; with `private_too`, of the local one or this machine.

    Link-local addresses (where clouds keep their secrets), multicast and reserved ones never are.
    """
    try:
        ip = _meant(ipaddress.ip_address(address))
    except ValueError:
        return False
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    if private_too and (ip.is_private or ip.is_loopback):
        return True
    site_local = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return ip.is_global and not (ip.is_private or ip.is_loopback or ip.is_reserved or site_local)


def _meant(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address only wraps (mapped, 6to4, Teredo, NAT64), or the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if ip in NAT64:
        wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return wrapped or ip


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides where connections may go. `trusted` are hosts and ports that the settings themselves name."""

    allow_private: bool = False
    trusted: frozenset[tuple[str, int]] = frozenset()
    resolve: Resolve = look_up

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to connect to for a host, looked up once; all of them are safe.

        Raises:
            FetchRefusedError: one of them is not.
            FetchUnreachableError: there is none.
        """
        found = self.resolve(host, port)
        if (host.lower(), port) in self.trusted:
            return found
        for address in found:
            if not is_public(address, private_too=self.allow_private):
                raise FetchRefusedError(
                    f"{host} is not fetched from: {address} is an address of this machine or a local network.",
                    "Set PAPERCHAT_ALLOW_PRIVATE_URLS=true if you mean it.",
                )
        return found


def check(url: str, allow_private: bool = False, *, resolve: Resolve = look_up) -> list[str]:
    """The addresses that a URL's host has, all of them safe to ask; raises what `checked_url` and `Gate` do."""
    return Gate(allow_private, resolve=resolve).addresses(*origin(checked_url(url)))
