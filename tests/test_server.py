"""The server: what every answer tells a browser, which requests come in at all, and how it starts and ends."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import secrets
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from conftest import Cli, child_environment
from hypothesis import given
from hypothesis import strategies as st
from patience import soon
from starlette.requests import Request
from ui_helpers import free_port, served
from web_helpers import TITLE, WebEngine, app_of, client_of, services_of, serving, settings_of

from rag.errors import PaperchatError, SettingsError
from ui.app import M_ARENA_MAX, serve
from ui.settings_form import offers_endpoint
from ui.web.doors import FILE_BYTES
from ui.web.headers import with_nonce
from ui.web.hosts import is_loopback, listen, refuse_open_host, url_of
from ui.web.owner import COOKIE, owner_of

ARGON2 = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
PAGE_DATA = re.compile(r"<script[^>]*>window\.gradio_config = (.*?);</script>", re.S)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application with a plain page, and one known further name."""
    home = tmp_path_factory.mktemp("server")
    engine = WebEngine(settings=settings_of(home, names="papers.example.org"))
    services = services_of(engine, home, shelf=SimpleNamespace(count=lambda: 3))
    with serving(app_of(services)) as address:
        yield address
    services.conversations.close()


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with client_of(url) as one:
        yield one


# --- headers --------------------------------------------------------------------------------------


def test_every_answer_has_the_security_headers(client: httpx.Client) -> None:
    paths = ["/", "/docs", "/api/nothing", "/nothing", "/healthz", "/theme.css", "/pc-static/act.js", "/config"]
    for path in paths:
        headers = client.get(path).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert "'unsafe-inline'" not in policy["script-src"]
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "*" not in headers.get("access-control-allow-origin", "")
    assert client.get("/").headers["cache-control"] == "no-store"
    asset = re.findall(r'src="\./(assets/[^"]+)"', client.get("/").text)[0]
    assert "immutable" in client.get(f"/{asset}").headers["cache-control"]


def test_scripts_of_the_page_run_by_a_nonce_that_is_new_each_time_and_data_gets_none(client: httpx.Client) -> None:
    pages = [client.get("/") for _ in range(2)]
    nonces = []
    for page in pages:
        (nonce,) = re.findall(r"'nonce-([^']+)'", page.headers["content-security-policy"])
        inline = re.findall(r"<script(?![^>]* src=)([^>]*)>", page.text)
        assert inline
        assert all(f'nonce="{nonce}"' in attributes for attributes in inline)
        (data,) = PAGE_DATA.findall(page.text)
        assert nonce not in data
        assert "<script" not in data
        assert "window.broken" in data, "the title is in the page's data, as text"
        nonces.append(nonce)
    assert nonces[0] != nonces[1]
    assert TITLE not in pages[0].text
    assert re.findall(r"""<(?:script|link|img|meta)[^>]+["'](?:https?:)?//""", pages[0].text) == []


@given(
    st.lists(st.sampled_from(["<p>", "é\n", "<script src='x'>", "</script>", '<a title="<script>">', "<!-- ", "-->"]))
)
def test_a_nonce_adds_itself_to_script_elements_and_changes_nothing_else(parts: list[str]) -> None:
    html = "".join(parts)
    marked = with_nonce(html, "N")
    assert marked.replace(' nonce="N"', "") == html
    assert 'title="<script nonce' not in marked


@pytest.mark.parametrize(
    ("html", "scripts"),
    [
        ("<script>a</script><SCRIPT>b</SCRIPT>", 2),
        ('<script>"<script>"</script>', 1),
        ("<!-- <script> --><p>&lt;script></p>", 0),
        ('<p title="<script>"></p>\n\n<script\nsrc="x"></script>', 1),
    ],
)
def test_only_what_a_browser_takes_for_a_script_gets_the_nonce(html: str, scripts: int) -> None:
    assert with_nonce(html, "N").count("nonce") == scripts


def test_the_api_page_needs_no_other_host(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert re.findall(r"(?:https?:)?//[a-z]", page.split("<script>")[0]) == []
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert client.get(path).status_code == 200, path
    assert re.findall(r"<script(?![^>]*nonce)", page) == []


# --- who comes in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:7860", 200),
        ("papers.example.org", 200),
        ("PAPERS.example.org:443", 200),
        ("evil.example.org", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_only_names_of_ours_are_served(host: str, status: int, client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == status


def test_another_site_can_neither_post_nor_read(client: httpx.Client, url: str) -> None:
    body = {"question": 5}
    for origin in (
        "https://evil.example.org",
        "null",
        "http://localhost:1",
        "http://127.0.0.1:1",
        "garbage",
        "http://[",
    ):
        for method, path in (("POST", "/api/ask"), ("POST", "/gradio_api/queue/join"), ("GET", "/config")):
            refused = client.request(method, path, json=body, headers={"origin": origin})
            assert refused.status_code == 403, (origin, path)
            assert "access-control-allow-origin" not in refused.headers
    for headers in ({"origin": url}, {"origin": "https://papers.example.org"}, {}):
        assert client.post("/api/ask", json=body, headers=headers).status_code == 422, "the question is no text"
    embedded = {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/healthz", headers=embedded).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=followed).status_code == 200, "a link from elsewhere"


def test_nothing_of_gradio_is_open_that_the_page_does_not_need(client: httpx.Client) -> None:
    closed = """/monitoring /monitoring/summary /gradio_api/info /gradio_api/openapi.json /gradio_api/runs /login
        /gradio_api/mcp/sse /gradio_api/file=/etc/passwd /gradio_api/file=pyproject.toml /gradio_api/vibe-code
        /gradio_api/proxy=https://example.org /gradio_api/startup-events /gradio_api/dev/reload /logout /manifest.json
        /gradio_api/deep_link /gradio_api/token /gradio_api/call/who/1 /pwa_icon /svelte/x.js /gradio_api/user
        /gradio_api/upload/../file=/etc/passwd /assets/../../../../etc/passwd /pc-static/../page.py""".split()
    closed.append(f"/gradio_api/file={Path(__file__)}")
    assert {path: client.get(path).status_code for path in closed if client.get(path).status_code < 400} == {}
    posts = ["/gradio_api/run/who", "/gradio_api/api/who", "/gradio_api/call/who", "/gradio_api/component_server"]
    posts += ["/login", "/gradio_api/process_recording", "/gradio_api/vibe-edit"]
    assert {path: client.post(path, json={"data": ["x"]}).status_code for path in posts} == dict.fromkeys(posts, 404)


def test_environment_variables_of_gradio_open_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = home.parent / "secret.txt"
    secret.write_text("secret")
    for name, value in {
        "GRADIO_ALLOWED_PATHS": str(home.parent),
        "GRADIO_MCP_SERVER": "True",
        "GRADIO_RUN_HISTORY": "True",
        "GRADIO_SSR_MODE": "True",
        "GRADIO_SHARE": "True",
    }.items():
        monkeypatch.setenv(name, value)
    pages: list[gr.Blocks] = []

    def page(_: Any) -> gr.Blocks:
        with gr.Blocks(analytics_enabled=False) as blocks:
            gr.Markdown("x")
        pages.append(blocks)
        return blocks

    services = services_of(WebEngine(settings=settings_of(home)), home, shelf=object())
    with serving(app_of(services, page)) as url, client_of(url) as client:
        assert client.get(f"/gradio_api/file={secret}").status_code == 404
        assert client.get("/gradio_api/mcp/sse").status_code == 404
    (blocks,) = pages
    assert blocks.allowed_paths == []
    assert (blocks.run_history, blocks.share, blocks.ssr_mode, blocks.mcp_server) == (False, False, False, False)
    services.conversations.close()


def test_uploads_and_bodies_have_a_limit(client: httpx.Client) -> None:
    small = client.post("/gradio_api/upload", files={"files": ("a.txt", b"hello")})
    assert small.status_code == 200
    large = client.post("/gradio_api/upload", files={"files": ("a.txt", b"x" * (FILE_BYTES + 1))})
    assert large.status_code == 413
    assert client.post("/gradio_api/queue/join", content=b"x" * 2_000_000).status_code == 413
    address = (client.base_url.host, client.base_url.port)
    for length, status in ((10 * FILE_BYTES, 413), (-1, 400)):
        with closing(HTTPConnection(*address, timeout=30)) as announcing:  # and then sends nothing
            announcing.putrequest("POST", "/gradio_api/upload")
            announcing.putheader("content-length", str(length))
            announcing.endheaders()
            assert announcing.getresponse().status == status


def test_an_unexpected_failure_is_logged_and_tells_nothing(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> int:
        raise KeyError("very secret")

    services = services_of(WebEngine(settings=settings_of(home)), home, shelf=SimpleNamespace(count=broken))
    with serving(app_of(services)) as url, client_of(url) as client:
        response = client.get("/healthz")
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "InternalError"
    assert response.headers["x-frame-options"] == "DENY"
    assert "secret" not in response.text
    assert any(record.exc_info for record in caplog.records)
    services.conversations.close()


# --- owners ---------------------------------------------------------------------------------------


def kept_as(cookie: str) -> str:
    """The owner of what is kept for a browser: the cookie itself, which opens it, is kept nowhere."""
    return "cookie:" + hashlib.sha256(cookie.encode()).hexdigest()[:32]


def joined(client: httpx.Client, said: str) -> str:
    """What the page shows after a text was sent, by the page's own protocol."""
    config = client.get("/config").json()
    function = next(d["id"] for d in config["dependencies"] if len(d["inputs"]) == 1 and "submit" in str(d["targets"]))
    session = secrets.token_hex(8)
    sent = {"data": [said], "fn_index": function, "session_hash": session}
    assert client.post("/gradio_api/queue/join", json=sent).status_code == 200
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as events:
        done = next(line for line in events.iter_lines() if "process_completed" in line)
    return str(re.findall(r"<b>(.*?)</b>", done.replace("\\u003c", "<").replace("\\u003e", ">"))[0])


def quick_answer(client: httpx.Client, said: str) -> list[str]:
    """What an event that does not queue gives back."""
    config = client.get("/config").json()
    quick = next(d["id"] for d in config["dependencies"] if not d["queue"])
    sent = {"data": [said], "fn_index": quick, "session_hash": secrets.token_hex(8)}
    given_back: list[str] = client.post("/gradio_api/run/predict", json=sent).json()["data"]
    return given_back


def test_each_browser_gets_a_cookie_of_its_own_that_the_page_knows_it_by(url: str) -> None:
    with client_of(url) as one, client_of(url) as other:
        first = one.get("/")
        cookie = first.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Secure" not in cookie, "loopback speaks plain HTTP"
        assert "set-cookie" not in one.get("/").headers
        other.get("/")
        owners = [joined(client, "I am") for client in (one, other)]
        assert owners == [f"I am {kept_as(client.cookies[COOKIE])}" for client in (one, other)]
        assert owners[0] != owners[1]


def test_an_event_that_waits_for_nothing_knows_the_browser_too(client: httpx.Client) -> None:
    client.get("/")
    assert quick_answer(client, "I am") == [f"<b>I am {kept_as(client.cookies[COOKIE])}</b>"]


def test_nobody_can_claim_a_name_or_choose_a_cookie_of_their_own_form(url: str) -> None:
    with client_of(url, headers={"x-paperchat-user": "admin", "cookie": f"{COOKIE}=guessable"}) as client:
        assert client.get("/").headers["set-cookie"]
        (said,) = quick_answer(client, "I am")
        assert re.fullmatch(r"<b>I am cookie:[0-9a-f]{32}</b>", said)
        for path in ("/api/nothing", "/healthz", "/metrics"):
            assert "set-cookie" not in client.get(path).headers, "programs need none"


@pytest.mark.parametrize(
    ("headers", "owner"),
    [
        ({}, ""),
        ({"cookie": f"{COOKIE}={'a' * 22}"}, "cookie:ec7c494df6d2a7ea36668d656e6b8979"),
        ({"cookie": f"{COOKIE}=short"}, ""),
        ({"cookie": f"{COOKIE}={'a' * 22}", "x-paperchat-user": "J%C3%B6rg"}, "user:Jörg"),
    ],
)
def test_the_owner_is_read_alike_from_both_kinds_of_request(headers: dict[str, str], owner: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "headers": raw})
    assert owner_of(request) == owner
    assert owner_of(gr.Request(request)) == owner


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_loopback_is_served_without_a_log_in(host: str, home: Path) -> None:
    assert is_loopback(host)
    refuse_open_host(settings_of(home, host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_any_other_host_needs_a_log_in(host: str, home: Path) -> None:
    with pytest.raises(SettingsError, match="without a log-in") as refused:
        refuse_open_host(settings_of(home, host=host))
    assert "paperchat password" in refused.value.remedy
    refuse_open_host(settings_of(home, host=host, token="t" * 20))


def test_names_of_a_proxy_need_a_log_in_on_loopback_too(home: Path) -> None:
    with pytest.raises(SettingsError, match="PAPERCHAT_NAMES would open the chat") as refused:
        refuse_open_host(settings_of(home, names="papers.example.org"))
    assert "paperchat password" in refused.value.remedy
    refuse_open_host(settings_of(home, names="papers.example.org", token="t" * 20))
    refuse_open_host(settings_of(home, names=" , "))


@pytest.mark.parametrize(
    ("fields", "offered"),
    [
        ({}, True),
        ({"host": "localhost"}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"token": "t" * 20}, False),
        ({"auth": f"ada:{ARGON2}"}, False),
        ({"names": "papers.example.org"}, False),
    ],
)
def test_a_tab_may_bring_an_endpoint_only_where_nobody_comes_from_elsewhere(
    fields: dict[str, str], offered: bool, home: Path
) -> None:
    assert offers_endpoint(settings_of(home, **fields)) is offered


def test_a_port_is_held_from_the_start_and_a_taken_one_is_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen("127.0.0.1", 0) as mine:
        port = mine.getsockname()[1]
        with pytest.raises(PaperchatError, match=f"Port {port} is taken") as refused:
            serve(settings_of(home, port=port))
        assert "PAPERCHAT_PORT" in refused.value.remedy
    with pytest.raises(SettingsError, match="without a log-in"):
        serve(settings_of(home, host="0.0.0.0"))
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", free_port()))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere)
    with pytest.raises(SettingsError, match="no address of this machine"):
        listen("192.0.2.1", 1)


def test_the_address_that_is_printed_can_be_opened() -> None:
    assert url_of("127.0.0.1", 7860) == "http://127.0.0.1:7860/"
    assert url_of("::1", 7860) == "http://[::1]:7860/"
    assert url_of("0.0.0.0", 7860) == f"http://{socket.gethostname()}:7860/"


# --- the process ----------------------------------------------------------------------------------


def test_the_machine_is_shared_before_anything_is_loaded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    libc = SimpleNamespace(mallopt=lambda *how: told.append(how))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: libc)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with listen("127.0.0.1", 0) as mine, pytest.raises(PaperchatError, match="is taken"):
        serve(settings_of(home, port=mine.getsockname()[1]))
    assert told == [(M_ARENA_MAX, 2)]
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_the_command_says_in_one_line_what_is_wrong(cli: Cli) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        done = cli("serve", "--port", port)
        open_host = cli("serve", "--host", "0.0.0.0")
    for failed, told in ((done, port), (open_host, "log-in")):
        assert failed.returncode != 0
        assert failed.stdout == ""
        assert len(failed.stderr.splitlines()) == 1
        assert told in failed.stderr


def test_it_starts_on_an_empty_library_and_ends_within_seconds_with_a_page_open(home: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with ExitStack() as running:
        with soon(20):  # heavy models load behind the page
            url = running.enter_context(served(home, TMPDIR=str(temporary)))
        client = running.enter_context(client_of(url))
        assert client.get("/").status_code == 200
        assert client.get("/healthz").json()["status"] in ("loading", "ok")
        (folder,) = temporary.glob("paperchat-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        path = client.post("/gradio_api/upload", files={"files": ("a.txt", b"hello")}).json()[0]
        assert Path(path).is_relative_to(folder)
        heartbeat = client.stream("GET", "/gradio_api/heartbeat/abc")
        assert heartbeat.__enter__().status_code == 200  # an open page; it is cut when the server ends
    assert not folder.exists(), "uploads are gone with the server"


def test_ctrl_c_ends_it_well(home: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", "from rag.cli import main; main()", "serve", "--port", str(port)]
    environment = child_environment() | {"PAPERCHAT_HOME": str(home)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home.parent
    )
    try:
        assert process.stdout
        assert f":{port}/" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
