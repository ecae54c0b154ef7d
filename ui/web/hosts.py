"""Addresses: which ones only this machine reaches, and taking hold of one to serve on."""

from __future__ import annotations

import ipaddress
import socket

from rag.errors import PaperchatError, SettingsError
from rag.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; where another name leads is not ours to guess."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_host(settings: Settings) -> None:
    """Only this machine may ask while there is no way to say who is asking.

    Raises:
        SettingsError: other machines could reach the chat without a log-in.
    """
    if settings.accounts or settings.token:
        return
    if not is_loopback(settings.host):
        raise SettingsError(
            f"PAPERCHAT_HOST={settings.host} would open the chat to other machines without a log-in.",
            "Make one with `paperchat password`, or use 127.0.0.1.",
        )
    if settings.further_names:
        raise SettingsError(
            "PAPERCHAT_NAMES would open the chat to everyone whom the proxy lets through, without a log-in.",
            "Make one with `paperchat password`, or leave PAPERCHAT_NAMES empty.",
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that holds the port, before anything is loaded; it takes connections once it is served.

    Raises:
        SettingsError: no address of this machine.
        PaperchatError: another program listens there, or the port needs rights.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise _no_address(host) from None
    listening = socket.socket(family, kind)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        raise _refused(error, host, port) from None
    return listening


def url_of(host: str, port: int) -> str:
    """The address to open in a browser; one that stands for all of the machine's is not."""
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _refused(error: OSError, host: str, port: int) -> PaperchatError:
    if isinstance(error, PermissionError):
        return PaperchatError(
            f"Port {port} may not be used without special rights.", "Set PAPERCHAT_PORT to one above 1023."
        )
    if error.errno == 98 or "in use" in str(error):
        return PaperchatError(
            f"Port {port} is taken by another program, perhaps another paperchat.",
            "End that one, or set PAPERCHAT_PORT to a free port.",
        )
    return _no_address(host)


def _no_address(host: str) -> SettingsError:
    return SettingsError(f"PAPERCHAT_HOST={host} is no address of this machine.", "Use 127.0.0.1, or one that is.")
