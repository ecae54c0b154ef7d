"""What the commands share: the --json option, the settings, and how an expected failure ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from rag.errors import PaperchatError

if TYPE_CHECKING:
    from rag.settings import Settings

SOME_FAILED = 3

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]


def settings() -> Settings:
    """The settings, read when a command needs them.

    Raises:
        SettingsError: they are wrong.
    """
    from rag.settings import load_settings

    return load_settings()


@contextmanager
def failures(json_output: bool) -> Iterator[None]:
    """An expected failure is one line on stderr (and an object on stdout for a program), never a traceback."""
    try:
        yield
    except PaperchatError as error:
        from rag.batch import error_dict, print_json
        from rag.show import show_error

        if json_output:
            print_json({"error": error_dict(error)})
        show_error(error)
        raise typer.Exit(error.exit_code) from None
