"""The log-in: HTTP Basic for browsers, a bearer token for programs, and no quick guessing."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rag.settings import TOKEN_USER, Settings
from ui.web.errors import problem
from ui.web.owner import mark

OPEN_PATH = "/healthz"  # for whoever watches over the server
CHALLENGE = 'Basic realm="paperchat", charset="UTF-8"'
PASSWORD_BYTES = 1024
FIRST_DELAY_S = 0.5  # after a wrong password; twice as long after each further one
LONGEST_DELAY_S = 8.0
TRIES_AT_ONCE = 8  # that one address may have waiting
REMEMBERED = 10_000  # addresses with their failures, and pairs that were right


def hashed(password: str) -> str:
    """The argon2id hash of a password, as `PAPERCHAT_AUTH` takes it."""
    return PasswordHasher().hash(password)


class Gatekeeper:
    """Knows who may come in. A pair that was right once is remembered, as a keyed hash, while the server runs."""

    def __init__(self, settings: Settings, first_delay_s: float = FIRST_DELAY_S) -> None:
        self._accounts = settings.accounts
        self._token = settings.token.get_secret_value().encode() if settings.token else None
        self._first_delay_s = first_delay_s
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, str] = OrderedDict()
        self._tries: OrderedDict[str, _Tries] = OrderedDict()
        self._verifying = asyncio.Lock()  # each takes 64 MiB and a processor
        self._nobody = hashed(secrets.token_urlsafe()) if self._accounts else ""

    @property
    def needed(self) -> bool:
        """Whether anybody has to say who they are."""
        return bool(self._accounts or self._token)

    async def user(self, authorization: str, address: str) -> str | None:
        """Who it is; None if that is not right.

        Raises:
            TooManyTries: this address has too many tries waiting.
        """
        print_ = hmac.digest(self._key, authorization.encode(), hashlib.sha256)
        if (known := self._right.get(print_)) is not None:
            return known
        tries = self._tries_of(address)
        if tries.failed and tries.waiting >= TRIES_AT_ONCE:
            raise TooManyTries
        tries.waiting += 1
        try:
            async with tries.lock:
                if (known := self._right.get(print_)) is not None:  # in the meantime
                    return known
                if tries.failed:
                    await asyncio.sleep(min(LONGEST_DELAY_S, self._first_delay_s * 2 ** min(tries.failed - 1, 10)))
                user = await self._checked(authorization)
                tries.failed = 0 if user else tries.failed + 1
        finally:
            tries.waiting -= 1
        if user:
            self._right[print_] = user
            if len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        return user

    async def _checked(self, authorization: str) -> str | None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return TOKEN_USER if self._is_token(given.strip()) else None
        pair = _pair(given) if scheme.lower() == "basic" else None
        if pair is None:
            return None
        user, password = pair
        if user == TOKEN_USER and self._is_token(password):
            return user
        if not self._accounts:
            return None
        async with self._verifying:
            right = await asyncio.to_thread(_verified, self._accounts.get(user, self._nobody), password)
        return user if right and user in self._accounts else None

    def _is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(self._token, given.encode())

    def _tries_of(self, address: str) -> _Tries:
        tries = self._tries.setdefault(address, _Tries())
        self._tries.move_to_end(address)
        if len(self._tries) > REMEMBERED:
            self._tries.popitem(last=False)
        return tries


class LogIn:
    """Lets in who is known, notes their name on the request, and asks everybody else who they are."""

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper) -> None:
        self._app = app
        self._gatekeeper = gatekeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        user = None
        if self._gatekeeper.needed and scope["path"] != OPEN_PATH:
            address = scope["client"][0] if scope.get("client") else ""
            authorization = Headers(scope=scope).get("authorization", "")
            try:
                user = await self._gatekeeper.user(authorization, address) if authorization else None
            except TooManyTries:
                busy = problem(429, "TooManyTries", "Too many wrong log-ins.", "Wait a minute.", retry_after="60")
                await busy(scope, receive, send)
                return
            if user is None:
                told = "Log in with your name and password, or send the token as a bearer token."
                who = problem(401, "LogInError", "This needs a log-in.", told, www_authenticate=CHALLENGE)
                await who(scope, receive, send)
                return
        mark(scope, user)
        await self._app(scope, receive, send)


class TooManyTries(Exception):
    """One address has too many log-ins waiting."""


@dataclass(slots=True)
class _Tries:
    """The log-ins of one address: one after the other, each the slower the more have failed."""

    failed: int = 0
    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def _pair(given: str) -> tuple[str, str] | None:
    try:
        user, colon, password = base64.b64decode(given, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (user, password) if colon and user and len(password.encode()) <= PASSWORD_BYTES else None


def _verified(stored: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
