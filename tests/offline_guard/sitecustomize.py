"""Put on PYTHONPATH, this keeps a Python process off the network: loopback and nothing else.

pytest-socket guards `connect` inside pytest; this audit hook also stops name look-ups, and works in
the processes that tests start. A RuntimeError, because libraries swallow an OSError and go on.
"""

import ipaddress
import sys

EVENTS = {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback or str(host) == "0.0.0.0"
    except ValueError:
        return False


def _refuse_network(event: str, arguments: tuple) -> None:
    if event not in EVENTS:
        return
    target = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
    host = target[0] if isinstance(target, tuple) else None if event.endswith(("connect", "sendto")) else target
    if not _is_local(host):
        raise RuntimeError(f"no network in tests: {event} {host!r}")


sys.addaudithook(_refuse_network)
