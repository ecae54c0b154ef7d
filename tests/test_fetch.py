"""The network: only safe addresses are asked, politely, and whatever comes back ends in bytes or a clear error."""

from __future__ import annotations

import errno
import gzip
import ipaddress
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listing_helpers import FIRST
from patience import soon
from replay_server import FakeClock, ReplayServer, Reply, as_json, packed, redirect, replay

from rag.cli_ingest import _fetched
from rag.errors import (
    FetchBusyError,
    FetchError,
    FetchMissingError,
    FetchRefusedError,
    FetchUnreachableError,
)
from rag.fetch.addresses import Gate, check, checked_url, is_public
from rag.fetch.answers import Fetched, Validators
from rag.fetch.client import Limits, PoliteClient, open_client
from rag.fetch.download import fetch, is_url, name_of, read_url
from rag.fetch.pacing import Pacing
from rag.fetch.transport import CheckedTransport
from rag.settings import load_settings

PUBLIC = "93.184.215.14"
Connect = Callable[..., PoliteClient]


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with replay() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connect(tmp_path: Path, server: ReplayServer, clock: FakeClock) -> Connect:
    """A client that may ask the server, and nothing else of this machine."""

    def connected(*, gate: Gate | None = None, total_s: float = 20.0, **limits: float) -> PoliteClient:
        gate = gate or Gate(trusted=frozenset({("127.0.0.1", server.port)}))
        transport = CheckedTransport(gate, total_s=total_s)
        return PoliteClient(transport, tmp_path / "fetch", clock=clock, limits=Limits(**limits))  # type: ignore[arg-type]

    return connected


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "0.1.2.3"),
        *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::1", "::127.0.0.1"),
        *("2001:0:1::80ff:fffe", "", "localhost"),
    ],
)
def test_an_address_of_this_machine_or_a_local_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"])
def test_an_address_of_the_public_network_is_public(address: str) -> None:
    assert is_public(address)
    assert is_public(address, private_too=True)


def test_allowing_private_addresses_opens_neither_link_local_nor_multicast_ones() -> None:
    assert all(is_public(one, private_too=True) for one in ("127.0.0.1", "10.0.0.1", "::1", "fd12::1"))
    closed = ("169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "::ffff:169.254.169.254")
    assert not any(is_public(one, private_too=True) for one in closed)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_the_same_however_it_is_wrapped(ip: ipaddress.IPv4Address) -> None:
    number = int(ip)
    wrapped = [(0xFFFF << 32) | number, (0x2002 << 112) | (number << 80), (0x64FF9B << 96) | number]
    assert {is_public(str(ipaddress.IPv6Address(one))) for one in wrapped} == {is_public(str(ip))}
    if is_public(str(ip)):
        assert ip.is_global


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://example.org/x", "gopher://example.org", "//example.org/x", "example.org", ""),
        *("http://", "https:///x", "javascript:alert(1)", "http://[::1", "http://exa mple.org", "http://a:99999/"),
        *("data:text/plain,x", "http://example.org/" + "x" * 3000, "http://example.org/\x00", "http://\udc80.org"),
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(FetchRefusedError):
        checked_url(url)


def test_a_url_with_a_password_is_refused_and_the_password_not_repeated() -> None:
    with pytest.raises(FetchRefusedError, match=r"example\.org") as caught:
        checked_url("https://me:s3cret@example.org/x")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(FetchRefusedError) as caught:
        checked_url("ftp://me:s3cret@example.org/x?key=s3cret")
    assert "s3cret" not in str(caught.value)


def test_every_address_of_a_name_must_be_public() -> None:
    found = {"good.example": [PUBLIC, "8.8.8.8"], "mixed.example": [PUBLIC, "10.0.0.1"]}
    assert check("https://good.example/x", resolve=lambda host, _: found[host]) == found["good.example"]
    with pytest.raises(FetchRefusedError, match=r"mixed\.example.*10\.0\.0\.1"):
        check("https://mixed.example/x", resolve=lambda host, _: found[host])


def test_a_private_address_given_as_such_is_refused_without_connecting(connect: Connect) -> None:
    for url in ("http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/", "http://localhost:1/"):
        with pytest.raises(FetchRefusedError, match="PAPERCHAT_ALLOW_PRIVATE_URLS"):
            connect().get(url)


def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked(
    connect: Connect, server: ReplayServer
) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]  # a second look-up would give another address
    asked: list[str] = []

    def resolve(host: str, _: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), 2) - 1]

    server.routes["/x"] = Reply(b"here")
    fetched = connect(gate=Gate(allow_private=True, resolve=resolve)).get(f"http://papers.example:{server.port}/x")
    assert fetched is not None
    assert fetched.data == b"here"
    assert asked == ["papers.example"]
    assert server.requests[0].headers["host"] == f"papers.example:{server.port}"


def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer(connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = Reply(b"here")
    gate = Gate(allow_private=True, resolve=lambda *_: ["::1", "127.0.0.1"])  # the server listens on the second only
    assert connect(gate=gate).get(f"http://papers.example:{server.port}/x")


# Redirects


def test_redirects_are_followed_and_the_last_address_is_told(connect: Connect, server: ReplayServer) -> None:
    server.routes |= {f"/{n}": redirect(f"/{n + 1}", status) for n, status in enumerate((301, 302, 303, 307, 308))}
    server.routes["/5"] = Reply(b"end")
    fetched = connect().get(f"{server.url}/0")
    assert fetched is not None
    assert (fetched.data, fetched.url) == (b"end", f"{server.url}/5")
    server.routes["/start"] = redirect("/0")
    with pytest.raises(FetchError, match="more than 5 times"):
        connect().get(f"{server.url}/start")


@pytest.mark.parametrize(
    "to",
    ["http://10.0.0.1/x", "http://169.254.169.254/", "file:///etc/passwd", "http://[::ffff:10.0.0.1]/", "//[::1]/"],
)
def test_a_redirect_to_an_unsafe_address_is_refused(to: str, connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = redirect(to)
    with pytest.raises(FetchRefusedError):
        connect().get(f"{server.url}/x")
    assert server.asked == ["/x"]


def test_trust_in_one_port_is_no_trust_in_another(connect: Connect, server: ReplayServer) -> None:
    with replay({"/": Reply(b"secret")}) as other:
        server.routes["/x"] = redirect(f"{other.url}/")
        with pytest.raises(FetchRefusedError):
            connect().get(f"{server.url}/x")
        assert not other.requests


def test_a_redirect_that_is_no_address_is_an_error(connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = redirect("http://[")
    with pytest.raises(FetchError):
        connect().get(f"{server.url}/x")


# What hosts answer


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, FetchMissingError), (410, FetchMissingError), (401, FetchRefusedError), (403, FetchRefusedError)],
)
def test_missing_and_refused_are_told_apart_and_not_asked_again(
    status: int, error: type[FetchError], connect: Connect, server: ReplayServer
) -> None:
    server.routes["/x"] = Reply(status=status)
    with pytest.raises(error, match=str(status)) as caught:
        connect().get(f"{server.url}/x?token=abc")
    assert not caught.value.retryable
    assert caught.value.exit_code == 7
    assert "abc" not in str(caught.value)
    assert len(server.requests) == 1


def test_we_say_who_we_are(connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = as_json([])
    connect().get(f"{server.url}/x", accept="application/json")
    headers = server.requests[0].headers
    assert headers["user-agent"].startswith("paperchat/0.")
    assert (headers["accept"], headers["accept-encoding"]) == ("application/json", "gzip")


def test_a_host_that_asks_for_a_pause_gets_it(connect: Connect, server: ReplayServer, clock: FakeClock) -> None:
    until = formatdate(clock.wall() + 1 + 40, usegmt=True)
    server.routes["/x"] = [
        Reply(status=429, headers={"retry-after": "17"}),
        Reply(status=503, headers={"retry-after": until}),
        Reply(b"now"),
    ]
    fetched = connect().get(f"{server.url}/x")
    assert fetched is not None
    assert fetched.data == b"now"
    assert clock.slept[0] == 17
    assert sum(clock.slept) == pytest.approx(41, abs=1.5)


def test_a_longer_pause_than_our_patience_is_told_and_not_waited_for(
    connect: Connect, server: ReplayServer, clock: FakeClock
) -> None:
    server.routes["/x"] = Reply(status=429, headers={"retry-after": "86400"})
    with pytest.raises(FetchBusyError, match="Try again in 86400 s") as caught:
        connect().get(f"{server.url}/x")
    assert caught.value.retryable
    assert caught.value.retry_after_s == 86400
    assert clock.slept == []


def test_a_failing_host_is_asked_again_after_longer_and_longer_waits(
    connect: Connect, server: ReplayServer, clock: FakeClock
) -> None:
    server.routes["/x"] = [*[Reply(status=status) for status in (500, 502, 503, 504)], Reply(b"up")]
    assert connect().get(f"{server.url}/x")
    assert clock.slept == [1, 2, 4, 8]
    server.routes["/down"] = Reply(status=503)
    with pytest.raises(FetchBusyError, match="503"):
        connect().get(f"{server.url}/down")
    assert server.asked.count("/down") == 6


@pytest.mark.parametrize("value", ["soon", "-5", "99999999999999999999", "Thu, 99 Foo 2026 00:00:00 GMT", ""])
def test_a_senseless_retry_after_is_ignored(
    value: str, connect: Connect, server: ReplayServer, clock: FakeClock
) -> None:
    server.routes["/x"] = [Reply(status=429, headers={"retry-after": value}), Reply(b"now")]
    assert connect().get(f"{server.url}/x")
    assert clock.slept == [1]


def test_an_unchanged_page_is_told_by_its_validators(connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = [Reply(b"old", headers={"etag": '"v1"', "last-modified": "yesterday"}), Reply(status=304)]
    first = connect().get(f"{server.url}/x")
    assert first is not None
    assert first.validators == Validators('"v1"', "yesterday")
    assert connect().get(f"{server.url}/x", known=first.validators) is None
    headers = server.requests[1].headers
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('"v1"', "yesterday")
    with pytest.raises(FetchError, match="304"):  # nothing was known
        connect().get(f"{server.url}/x")


@pytest.mark.parametrize("said", [b'"\xe9t\xe9"', b'"a\x7fb"', b'"' + b"x" * 600 + b'"'])
def test_a_validator_that_no_header_can_hold_is_not_said_back(
    said: bytes, connect: Connect, server: ReplayServer
) -> None:
    head = b"HTTP/1.1 200 OK\r\netag: " + said + b"\r\nlast-modified: yesterday\r\ncontent-length: 3\r\n\r\n"
    server.routes["/x"] = [Reply(raw=head + b"old"), Reply(b"new")]
    first = connect().get(f"{server.url}/x")
    assert first is not None
    again = connect().get(f"{server.url}/x", known=first.validators)
    assert again is not None
    assert again.data == b"new"
    assert "if-none-match" not in server.requests[1].headers
    assert server.requests[1].headers["if-modified-since"] == "yesterday"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"half", length=100),
        Reply(b"half", length=None, cut=True),
        Reply(gzip.compress(b"x" * 1000)[:-9], headers={"content-encoding": "gzip"}),
        Reply(raw=b""),
        Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-le"),
    ],
)
def test_an_answer_that_is_cut_off_is_noticed_and_asked_for_again(
    reply: Reply, connect: Connect, server: ReplayServer
) -> None:
    server.routes["/x"] = [reply, Reply(b"whole")]
    fetched = connect().get(f"{server.url}/x")
    assert fetched is not None
    assert fetched.data == b"whole"
    server.routes["/always"] = reply
    with pytest.raises(FetchBusyError, match="cut off"):
        connect(patience_s=0.5).get(f"{server.url}/always")


@pytest.mark.parametrize("reply", [Reply(b"x" * 99, drip=0.05), Reply(b"x", drip_head=0.05), Reply(b"x", pause=3)])
def test_slow_bytes_have_an_end(reply: Reply, connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = reply
    with soon(1), pytest.raises(FetchBusyError, match="in time"):
        connect(total_s=0.4, patience_s=0.5).get(f"{server.url}/x")


def test_a_packed_answer_is_unpacked(connect: Connect, server: ReplayServer) -> None:
    body = bytes(range(256)) * 3000
    server.routes |= {"/x": packed(body), "/none": Reply(headers={"content-encoding": "gzip"})}
    fetched = connect().get(f"{server.url}/x")
    assert fetched is not None
    assert fetched.data == body
    assert connect().get(f"{server.url}/none")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"x" * 2000), "more than 1,000 bytes"),
        (Reply(b"", length=10**15), "more than 1,000 bytes"),
        (Reply(b"x" * 2000, length=None), "more than 1,000 bytes"),
        (packed(b"x" * 2000), "more than 1,000 bytes"),
        (Reply(b"no gzip", headers={"content-encoding": "gzip"}), "cannot be unpacked"),
        (Reply(b"x", headers={"content-encoding": "br"}), "not asked for"),
    ],
)
def test_too_much_or_wrongly_packed_is_refused(
    reply: Reply, words: str, connect: Connect, server: ReplayServer
) -> None:
    server.routes["/x"] = reply
    with pytest.raises(FetchError, match=words):
        connect(most_bytes=1000).get(f"{server.url}/x")
    assert len(server.requests) == 1


def test_a_gzip_bomb_costs_no_memory(connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = packed(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match="more than"):
            connect(most_bytes=1_000_000).get(f"{server.url}/x")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_without_a_network_it_says_so_soon(connect: Connect, clock: FakeClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]  # bound, but nobody listens
        gate = Gate(allow_private=True)
        with pytest.raises(FetchUnreachableError, match="network is reachable"):
            connect(gate=gate).get(f"http://127.0.0.1:{port}/")
    assert len(clock.slept) == 2

    def unknown(host: str, _: int) -> list[str]:
        raise FetchUnreachableError(f"{host} cannot be found.")

    with pytest.raises(FetchUnreachableError, match=r"nowhere\.example"):
        connect(gate=Gate(resolve=unknown)).get("https://nowhere.example/")


def test_a_host_without_tls_is_no_secure_host(connect: Connect, server: ReplayServer) -> None:
    with pytest.raises(FetchError, match="No secure connection"):
        connect().get(f"https://127.0.0.1:{server.port}/x")


def _certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A certificate for one name, written to the folder, and what serves under it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (folder / "certificate.pem").write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_the_certificate_must_be_the_name_s_although_the_address_is_fixed(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = _certificate(tmp_path, "papers.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    gate = Gate(allow_private=True, resolve=lambda *_: ["127.0.0.1"])
    with replay({"/x": Reply(b"here")}, tls=context) as secure:
        assert connect(gate=gate).get(f"https://papers.example:{secure.port}/x")
        with pytest.raises(FetchError, match="Hostname mismatch"):
            connect(gate=gate).get(f"https://other.example:{secure.port}/x")
        assert secure.asked == ["/x"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    junk=st.binary(max_size=300),
    start=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 F\r\nLocation: "]),
)
def test_whatever_bytes_a_host_sends_the_end_is_an_answer_or_a_clear_error(
    junk: bytes, start: bytes, connect: Connect, server: ReplayServer
) -> None:
    server.routes["/x"] = Reply(raw=start + junk)
    try:
        fetched = connect(patience_s=0).get(f"{server.url}/x")
    except FetchError:
        return
    assert fetched is not None


# Pace


def _mock(asked: list[str]) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(200, stream=httpx.ByteStream(b"x"))

    return httpx.MockTransport(answer)


@pytest.mark.parametrize(("host", "pause_s"), [("hub.example", 1.0), ("export.arxiv.org", 3.0), ("arxiv.org", 3.0)])
def test_a_host_is_left_alone_between_two_requests_of_any_process(host: str, pause_s: float, tmp_path: Path) -> None:
    clock, asked = FakeClock(), []  # type: FakeClock, list[str]
    for client in [PoliteClient(_mock(asked), tmp_path, clock=clock) for _ in range(3)]:
        client.get(f"https://{host}/x")
    assert clock.slept == pytest.approx([pause_s, pause_s])
    clock.sleep(pause_s)
    PoliteClient(_mock(asked), tmp_path, clock=clock).get(f"https://{host}/x")
    PoliteClient(_mock(asked), tmp_path, clock=clock).get("https://other.example/x")
    assert clock.slept[3:] == []


def test_a_clock_that_goes_backwards_costs_one_pause(tmp_path: Path) -> None:
    clock = FakeClock()
    client = PoliteClient(_mock([]), tmp_path, clock=clock)
    client.get("https://hub.example/x")
    clock.set_back(1e7)
    client.get("https://hub.example/x")
    assert clock.slept == [1.0]


def test_there_is_one_request_at_a_time_to_a_host(connect: Connect, server: ReplayServer) -> None:
    server.routes["/x"] = Reply(b"x", pause=0.02)
    threads = [threading.Thread(target=connect().get, args=(f"{server.url}/x",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 6
    assert server.most_at_once == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match="file"):
        PoliteClient(_mock([]), tmp_path / "file").get("https://hub.example/x")


def test_a_full_disk_is_told_and_leaves_no_host_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pacing = Pacing(tmp_path, FakeClock())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.utime", full)
        with pytest.raises(FetchError, match="No space left"), pacing.turn("a.example", 1):
            pass
        with pytest.raises(FetchMissingError), pacing.turn("a.example", 1):  # what failed first is told
            raise FetchMissingError("Nothing there.", "")
    with pacing.turn("a.example", 0):
        pass


# Downloads


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.example/x.pdf?X-Amz-Date=1&X-Amz-Signature=abc", "https://a.example/x.pdf"),
        ("https://a.example/x.pdf?v=2&token=abc#page=3", "https://a.example/x.pdf#page=3"),
        ("https://a.example/x?sv=1&sig=abc", "https://a.example/x"),
        ("https://a.example/x?api%5Fkey=abc", "https://a.example/x"),
        ("https://a.example/x?a=1#access_token=abc", "https://a.example/x?a=1"),
        ("https://a.example/x?a?password=1", "https://a.example/x"),
        ("https://a.example/x?id=a1&author=Doe&keyword=token", "https://a.example/x?id=a1&author=Doe&keyword=token"),
    ],
)
def test_an_address_is_kept_without_its_secrets(url: str, kept: str, tmp_path: Path, clock: FakeClock) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, stream=httpx.ByteStream(FIRST.encode()))

    reading = read_url(url, PoliteClient(httpx.MockTransport(answer), tmp_path, clock=clock))
    assert asked[0].startswith(url.partition("#")[0].partition("%")[0])  # asked with them
    assert [reading.name, reading.entries[0].paper.url] == [kept, kept]


def test_an_address_that_cannot_be_had_is_named_without_its_secrets(server: ReplayServer) -> None:
    _, (failed,) = _fetched([f"{server.url}/x?token=abc"], load_settings())
    assert (failed.source, failed.item) == (f"{server.url}/x", f"{server.url}/x")
    assert "abc" not in failed.reason


def test_an_address_gives_no_larger_file_than_the_settings_allow(
    server: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERCHAT_MAX_FILE_MB", "1")
    server.routes["/x"] = Reply(b"x" * 1_000_001)
    with open_client(load_settings(), trusted=(server.url,)) as client, pytest.raises(FetchError, match="1,000,000"):
        fetch(f"{server.url}/x", client)


@pytest.mark.parametrize(
    ("url", "media_type", "disposition", "name"),
    [
        ("https://a.example/papers/one.pdf", "application/pdf", "", "one.pdf"),
        ("https://a.example/pdf/2309.12345", "application/pdf", "", "2309.12345.pdf"),
        ("https://a.example/abs/2309.12345v2?x=1", "text/html", "", "2309.12345v2.html"),
        ("https://a.example/x", "text/csv", 'attachment; filename="table 1.csv"', "table_1.csv"),
        ("https://a.example/x", "application/pdf", 'attachment; filename="../../etc/passwd"', "passwd.pdf"),
        ("https://a.example/x", "", 'attachment; filename="C:\\\\temp\\\\a.bib"', "a.bib"),
        ("https://a.example/x", "", "attachment; filename*=UTF-8''%C3%A4.txt", "ä.txt"),
        ("https://a.example/..%2f..%2fetc%2f.bashrc", "", "", "bashrc"),
        ("https://a.example/", "text/html", "", "a.example.html"),
        ("https://a.example/%00%0a/", "text/plain", "", "download.txt"),
    ],
)
def test_a_download_has_a_plain_file_name(url: str, media_type: str, disposition: str, name: str) -> None:
    assert name_of(Fetched(url, b"", media_type, disposition)) == name


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_download_is_named_as_a_path(path: str, disposition: str) -> None:
    name = name_of(Fetched(f"https://a.example/{path}", b"", "text/plain", f"attachment; filename={disposition}"))
    assert name
    assert Path(name).name == name
    assert name.isprintable()
    assert len(name) < 120


def test_a_url_is_read_like_a_file_and_kept_with_its_paper(
    server: ReplayServer, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    monkeypatch.setenv("PAPERCHAT_ALLOW_PRIVATE_URLS", "true")
    server.routes["/list"] = Reply(FIRST.encode(), headers={"content-type": "text/plain"})
    with open_client(load_settings()) as client:
        assert fetch(f"{server.url}/list", client) == (FIRST.encode(), "list.txt")
        reading = read_url(f"{server.url}/list", client)
    assert reading.name == f"{server.url}/list"
    assert [(e.paper.title, e.paper.url) for e in reading.entries] == [("First Good Paper", f"{server.url}/list")]


def test_a_url_on_this_machine_needs_a_setting(server: ReplayServer) -> None:
    with open_client(load_settings()) as client, pytest.raises(FetchRefusedError):
        fetch(f"{server.url}/list", client)
    with open_client(load_settings(), trusted=(server.url,)) as client, pytest.raises(FetchMissingError):
        fetch(f"{server.url}/list", client)
    assert server.asked == ["/list"]


def test_urls_are_told_from_paths() -> None:
    assert all(is_url(text) for text in ("https://a.example", "HTTP://a.example/x", "file:///x", "ftp://x"))
    assert not any(is_url(text) for text in ("papers/x.pdf", "C:\\x.pdf", "./https:", "~/a", "x.bib"))
