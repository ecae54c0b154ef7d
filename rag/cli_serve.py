"""`paperchat serve` and `paperchat password`: the chat for browsers, and who may log in to it."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from rag.cli_common import failures
from rag.errors import SettingsError

SHORTEST_PASSWORD = 8
HOST = "Address to serve on; one that other machines reach needs --auth or --token."
AUTH = "Who may log in, as `paperchat password` prints it; several by spaces. Better set as PAPERCHAT_AUTH."
TOKEN = "Bearer token for programs. Others on this machine can read it here; better set as PAPERCHAT_TOKEN."


def serve(
    host: Annotated[str | None, typer.Option(help=HOST, show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on.", show_default="7860")] = None,
    auth: Annotated[str | None, typer.Option(help=AUTH, metavar="USER:HASH")] = None,
    token: Annotated[str | None, typer.Option(help=TOKEN)] = None,
) -> None:
    """Serve the chat to browsers, and the HTTP API to programs: on this machine, unless a log-in is set."""
    from rag.settings import load_settings

    with failures(False):
        chosen = load_settings(host=host, port=port, auth=auth, token=token)
        from ui.app import serve as serve_chat

        serve_chat(chosen)


def password(
    user: Annotated[str | None, typer.Argument(help="Name to log in with; left out, yours on this machine.")] = None,
) -> None:
    """Ask for a password, twice, and print the line for PAPERCHAT_AUTH; the password itself is kept nowhere."""
    from rag.settings import TOKEN_USER

    with failures(False):
        name = user or getpass.getuser()
        if not name.strip() or any(char.isspace() or char == ":" for char in name):
            raise SettingsError(f"{name!r} cannot be a user's name.", "Choose one without spaces and colons.")
        if name == TOKEN_USER:
            raise SettingsError(f"{name!r} is whoever has the token.", "Choose another name.")
        given = typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True)
        if len(given) < SHORTEST_PASSWORD:
            raise SettingsError("The password is too short.", f"Take {SHORTEST_PASSWORD} characters or more.")
        from ui.web.login import hashed

        typer.echo(f"{name}:{hashed(given)}")
        typer.echo("Set this as PAPERCHAT_AUTH, in single quotes because of its dollar signs.", err=True)
