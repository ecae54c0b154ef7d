"""The errors that people see: what happened, to which item, and what to do about it."""

from __future__ import annotations

from typing import Any


class PaperchatError(Exception):
    """Base of every expected failure.

    `message` says what happened and to which item, `remedy` what to do. `exit_code` is the
    process's exit status in the terminal; `retryable` says whether the same call may succeed
    later without any change.
    """

    exit_code = 1
    retryable = False

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_dict(self) -> dict[str, Any]:
        """For a program: `type`, `message`, `remedy`, `retryable`."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "remedy": self.remedy,
            "retryable": self.retryable,
        }


class SettingsError(PaperchatError):
    """A setting is unknown, malformed or out of bounds."""

    exit_code = 2


class QuestionError(PaperchatError):
    """The question itself cannot be asked: empty, or far too long."""

    exit_code = 2


class NotFoundError(PaperchatError):
    """Nothing is kept under this id: it was never there, was deleted, or is somebody else's."""


class ConflictError(PaperchatError):
    """What is to be changed is not any more as the caller knows it."""


class SourceError(PaperchatError):
    """A file cannot be read as a source of papers."""

    exit_code = 1


class LibraryError(PaperchatError):
    """The library is missing, damaged, or was built in a way that does not fit."""

    exit_code = 4


class LibraryEmptyError(LibraryError):
    """There is nothing to search yet."""


class LibraryLockedError(LibraryError):
    """Another process is writing to the library."""

    retryable = True


class FingerprintError(LibraryError):
    """The library was built by another embedder or chunker."""


class ModelError(PaperchatError):
    """A model's files are missing or cannot be used."""

    exit_code = 5


class EndpointError(PaperchatError):
    """An LLM endpoint refused, failed, or answered something that is no answer."""

    exit_code = 6


class EndpointBusyError(EndpointError):
    """Rate limit, overload, time-out or no connection: trying later may work."""

    retryable = True


class FetchError(PaperchatError):
    """Something could not be fetched: what came is broken, too large, or not what was asked for."""

    exit_code = 7


class FetchMissingError(FetchError):
    """Nothing is at that address."""


class FetchRefusedError(FetchError):
    """The address may not be asked, or its host denies access."""


class FetchBusyError(FetchError):
    """Rate limit, overload, time-out or a broken connection: trying later may work.

    `retry_after_s` is how long the host asks to be left alone, in seconds; None where it does not say.
    """

    retryable = True

    def __init__(self, message: str, remedy: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, remedy)
        self.retry_after_s = retry_after_s


class FetchUnreachableError(FetchBusyError):
    """There is no way to the host: no network, no such name, nobody answers."""
