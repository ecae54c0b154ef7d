"""Tabs of the page: nobody acts in somebody else's, and nothing is taken for an upload that is none."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.queueing import Event, Queue
from gradio.route_utils import delete_files_created_by_app
from hypothesis import given
from hypothesis import strategies as st
from listing_helpers import FIRST, HEAD
from web_helpers import PAPERS, app_of, client_of, services_of, serving, settings_of, small_engine

from eval.bench_ui.tab import Tab
from rag.ingest import IngestReport
from rag.shelf import Shelf
from ui import page
from ui.uploads import ADDING, Upload, is_upload
from ui.web import room, tabs
from ui.web.hosts import listen
from ui.web.owner import COOKIE
from ui.web.room import BLOCK_BYTES, KEPT_S, tidied
from ui.web.tabs import Tabs

API = "/gradio_api"
ADDED = HEAD + FIRST


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    engine = small_engine(settings_of(tmp_path_factory.mktemp("tabs")))
    yield Shelf(engine)
    engine.close()


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The server's folder for uploads."""
    folder = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def url(shelf: Shelf, uploads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real page over a dozen papers."""
    warmup = SimpleNamespace(done=lambda: True, problem="", again=lambda: None, examples=[])
    services = services_of(shelf._engine, tmp_path_factory.mktemp("kept"), warmup=warmup)
    with serving(app_of(services, page.build_page)) as address:
        yield address
    services.conversations.close()


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """A browser with the page open."""
    with client_of(url) as one:
        one.get("/")
        yield one


def event(client: httpx.Client, name: str) -> dict[str, Any]:
    """The first event of that name, as the page knows it."""
    found: dict[str, Any] = next(
        one for one in client.get("/config").json()["dependencies"] if any(name == at[1] for at in one["targets"])
    )
    return found


def giving(client: httpx.Client, path: object, session: str) -> dict[str, Any]:
    """The body of the event that adds a file."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    return {"data": [[file], None], "fn_index": event(client, "upload")["id"], "session_hash": session}


def told(client: httpx.Client, session: str) -> list[dict[str, Any]]:
    """Everything that a tab's stream says, until it ends."""
    with client.stream("GET", f"{API}/queue/data", params={"session_hash": session}) as stream:
        assert stream.status_code == 200
        return [json.loads(line.removeprefix("data:")) for line in stream.iter_lines() if line.startswith("data:")]


def kind_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["type"])


# --- files ----------------------------------------------------------------------------------------


def test_an_uploaded_file_is_added(client: httpx.Client, shelf: Shelf, uploads: Path) -> None:
    (path,) = client.post(f"{API}/upload", files={"files": ("page.txt", ADDED.encode())}).json()
    assert is_upload(path)
    assert client.post(f"{API}/queue/join", json=giving(client, path, "adding")).status_code == 200
    messages = told(client, "adding")
    assert next(one for one in messages if one["msg"] == "process_completed")["success"]
    assert "1 added." in json.dumps(messages)
    assert shelf.count() == len(PAPERS) + 1
    assert not Path(path).exists()


def test_a_file_of_this_machine_is_not_read_and_the_upload_folder_stays(
    client: httpx.Client, shelf: Shelf, uploads: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(ADDED, "utf-8")
    before = shelf.count()
    for number, path in enumerate((secret, uploads, uploads / "x", f"{uploads}/../{uploads.name}", None, ["a"], "\0")):
        sent = giving(client, path if path is None or isinstance(path, list) else str(path), f"s{number}")
        for where in ("queue/join", "run/predict"):
            assert kind_of(client.post(f"{API}/{where}", json=sent)) == "ForeignFile"
    assert secret.read_text("utf-8") == ADDED
    assert uploads.is_dir()
    assert shelf.count() == before


def test_a_web_address_is_no_file_and_nothing_is_requested_from_it(client: httpx.Client) -> None:
    with listen("127.0.0.1", 0) as elsewhere:
        elsewhere.settimeout(0.2)
        address = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/x.txt"
        plain, question = giving(client, address, "u"), event(client, "submit")
        deep = {"data": [{"a": [plain["data"]]}], "fn_index": question["id"], "session_hash": "u"}
        for sent in (plain, deep):
            refused = client.post(f"{API}/queue/join", json=sent)
            assert (refused.status_code, kind_of(refused)) == (400, "ForeignFile")
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_gradio_itself_refuses_what_was_not_uploaded(
    client: httpx.Client, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, before = tmp_path / "secret.txt", shelf.count()
    secret.write_text(ADDED, "utf-8")
    monkeypatch.setattr(tabs, "is_upload", lambda _: True)
    monkeypatch.setattr("ui.librarian.is_upload", lambda _: True)
    monkeypatch.setattr("ui.uploads.is_upload", lambda _: True)
    assert client.post(f"{API}/queue/join", json=giving(client, str(secret), "gradio")).status_code == 200
    last = next(one for one in told(client, "gradio") if one["msg"] == "process_completed")
    assert not last["success"]
    assert secret.exists()
    assert shelf.count() == before


# --- tabs -----------------------------------------------------------------------------------------


def test_nobody_acts_in_somebody_elses_tab_or_reads_it(url: str, client: httpx.Client) -> None:
    quick = next(one for one in client.get("/config").json()["dependencies"] if not one["queue"])
    ask = {"data": ["What?", None], "fn_index": event(client, "submit")["id"], "session_hash": "mine"}
    assert client.post(f"{API}/queue/join", json=ask).status_code == 200
    with client_of(url) as other:
        other.get("/")
        assert other.cookies[COOKIE] != client.cookies[COOKIE]
        refused = [
            other.post(f"{API}/queue/join", json=ask),
            other.post(f"{API}/run/predict", json={"data": [None], "fn_index": quick["id"], "session_hash": "mine"}),
            other.post(f"{API}/cancel", json={"session_hash": "mine", "fn_index": 0, "event_id": "x"}),
            other.post(f"{API}/queue/join?session_hash=mine", json=ask | {"session_hash": "other"}),
        ]
        for where in ("queue/data?session_hash=mine", "queue/data?session_hash=x&session_hash=mine", "heartbeat/mine"):
            with other.stream("GET", f"{API}/{where}") as stream:
                assert stream.status_code == 403
                stream.read()
                refused.append(stream)
        assert [(one.status_code, kind_of(one)) for one in refused] == [(403, "ForeignTab")] * len(refused)
    assert any(one["msg"] == "process_completed" for one in told(client, "mine")), "its own stream is whole"


def test_what_was_asked_last_is_shown_though_what_was_asked_before_comes_later(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, late = Queue.send_message, []

    def send_later(queue: Queue, event: Event, message: Any) -> None:
        if event.fn.fn and event.fn.fn.__name__ == "opened":
            late.append(message.msg)
            asyncio.get_running_loop().call_later(0.5, send, queue, event, message)
        else:
            send(queue, event, message)

    async def open_and_search() -> str:
        async with Tab.opened(url) as tab:
            monkeypatch.setattr(Queue, "send_message", send_later)
            opening = asyncio.create_task(tab.fire("pc-go-library", "click"))
            while not late:
                await asyncio.sleep(0.01)
            await tab.fire("pc-lib-search", "change", typed="nothing has these words")
            found = tab.shows("pc-lib-papers")
            await opening
            assert tab.shows("pc-lib-papers") == found
            return found

    assert "No paper" in asyncio.run(open_and_search())


def test_a_stream_is_passed_on_as_it_comes(client: httpx.Client) -> None:
    with client.stream("GET", f"{API}/heartbeat/beating") as beats:
        assert next(beats.iter_lines()) == "data: ALIVE"


def test_what_queues_cannot_be_called_past_the_queue(client: httpx.Client) -> None:
    ask = {"data": ["What?", None], "fn_index": event(client, "submit")["id"], "session_hash": "past"}
    assert client.post(f"{API}/run/predict", json=ask).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b'"x"', b"\xff\xfe\xfd", b"[" * 100_000, b'{"a":' * 100_000),
        *(b'{"session_hash": %s}' % name for name in (b"5", b'""', b'"a b"', b'"%s"' % (b"x" * 99))),
    ],
)
def test_a_malformed_event_is_refused(body: bytes, client: httpx.Client) -> None:
    for where in ("queue/join", "run/predict", "cancel"):
        assert kind_of(client.post(f"{API}/{where}", content=body)) == "RequestError"


def test_a_huge_event_of_unknown_length_is_refused(client: httpx.Client) -> None:
    refused = client.post(f"{API}/queue/join", content=iter([b"x" * 600_000] * 2))
    assert (refused.status_code, kind_of(refused)) == (413, "RequestTooLarge")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=30))
def test_a_tab_belongs_to_the_first_who_names_it(asked: list[tuple[str, str]]) -> None:
    first: dict[str, str] = {}
    guard = Tabs(_fine)
    for owner, name in asked:
        assert _status(guard, owner, name) == (200 if first.setdefault(name, owner) == owner else 403)


def test_only_so_many_tabs_are_remembered_the_latest_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabs, "REMEMBERED", 3)
    guard = Tabs(_fine)
    for name in ("x", "y", "z", "x", "w"):
        assert _status(guard, "a", name) == 200
    assert len(guard._owners) == 3
    assert [_status(guard, "b", name) for name in ("x", "z", "w")] == [403] * 3


async def _fine(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def _status(guard: Tabs, user: str, name: str) -> int:
    """How a heartbeat of that user and tab is answered."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": f"{API}/heartbeat/{name}", "query_string": b""}
    asyncio.run(guard({**scope, "headers": [(b"x-paperchat-user", user.encode())]}, None, send))
    return int(sent[0]["status"])


# --- room -----------------------------------------------------------------------------------------


def test_uploads_are_refused_when_there_is_no_room(
    client: httpx.Client, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ROOM_BYTES", tidied(uploads) + 50_000)
    kept = [client.post(f"{API}/upload", files={"files": (f"{n}.txt", b"%d" % n * 20_000)}) for n in range(3)]
    assert [one.status_code for one in kept] == [200, 200, 507]
    assert kind_of(kept[2]) == "NoRoom"
    for one in kept[:2]:
        Path(one.json()[0]).unlink()
    assert client.post(f"{API}/upload", files={"files": ("again.txt", b"x" * 20_000)}).status_code == 200


def test_uploads_on_their_way_count_too(client: httpx.Client, uploads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ROOM_BYTES", tidied(uploads) + 50_000)
    with socket.create_connection((client.base_url.host, client.base_url.port), 30) as slow:
        head = f"POST {API}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        slow.sendall(f"{head}Content-Length: 45000\r\nExpect: 100-continue\r\n\r\n".encode())
        assert b"100" in slow.recv(100), "it may send"
        assert _upload(client) == 507
    deadline = time.monotonic() + 30
    while _upload(client) == 507 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _upload(client) == 200, "whoever hung up takes no room"


def _upload(client: httpx.Client) -> int:
    return client.post(f"{API}/upload", files={"files": ("same.txt", b"x" * 10_000)}).status_code


def test_what_nobody_came_back_for_is_deleted_and_files_being_added_stay(tmp_path: Path) -> None:
    folder, old, new = tmp_path / "uploads", time.time() - KEPT_S - 60, time.time()
    folder.mkdir()
    ages = {"tmpold": old, "tmpnew": new, "aa/old.txt": old, "bb/new.txt": new, f"{ADDING}x/old.txt": old}
    for name, age in ages.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x" * 5000)
        os.utime(folder / name, (age, age))
    (folder / "empty").mkdir()
    os.utime(folder / "empty", (old, old))
    assert tidied(folder) == 3 * 5000
    left = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert left == {"tmpnew", "aa", "bb", "bb/new.txt", f"{ADDING}x", f"{ADDING}x/old.txt"}
    (folder / "tiny").touch()
    assert tidied(folder) == 3 * 5000 + BLOCK_BYTES, "files without content take room too"


def test_gradio_deletes_old_uploads_but_not_those_that_are_being_added(uploads: Path) -> None:
    blocks = gr.Blocks(analytics_enabled=False)
    places = [uploads / (digit * 64) / "page.txt" for digit in "ab"]
    for place in places:
        place.parent.mkdir()
        place.write_text("x", "utf-8")
        blocks.upload_file_set.add(str(place))

    def add(paths: list[Path], _: object) -> IngestReport:
        assert [path.read_text("utf-8") for path in paths] == ["x"]
        return IngestReport(())

    shelf: Any = SimpleNamespace(add=add)
    upload = Upload(shelf, [places[0]], threading.Lock())
    delete_files_created_by_app(blocks, age=None)
    assert not places[1].exists()
    upload.run()
    assert upload.report == IngestReport(())


def test_the_page_lets_gradio_delete_old_uploads(shelf: Shelf, tmp_path: Path) -> None:
    services = services_of(shelf._engine, tmp_path)
    assert page.build_page(services).delete_cache == (600, KEPT_S)
    services.conversations.close()
