"""The HTTP API: the engine's answers as events and as JSON, failures with their status, and nothing left running."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from patience import soon
from pydantic import create_model
from stub_endpoint import Reply, chunk, endpoint, sse
from ui_helpers import PAPER, answered, citation, found
from web_helpers import PAPERS, WebEngine, app_of, client_of, services_of, serving, settings_of, small_engine

from rag import errors
from rag.answer.answer import Citation, Event, Finished, Searched, TextDelta, Turn
from rag.answer.explained_ranking import subject_words
from rag.conversations import StoredTurn
from rag.papers import Filters
from rag.settings import Settings
from rag.shelf import Shelf
from ui.turnstile import SLOTS
from ui.web.errors import status_of
from ui.web.metrics import METRICS
from ui.web.models import AnswerOut, PaperOut, searched_dict

WHOLE = answered("Indexes are small [1].", (citation(1, PAPER, "Indexes are 99% smaller than <EOS> ones."),))


def events_of(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Names and data of server-sent events, as a browser reads them."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def says(_cancelled: threading.Event) -> Iterator[Event]:
    yield Searched("what", Filters(published_from=date(2020, 1, 1)), (found(PAPER, dense=0.5),))
    yield TextDelta(WHOLE.answer[:7])
    yield TextDelta(WHOLE.answer[7:])
    yield Finished(WHOLE)


def raising(error: Exception, *, first: bool) -> Callable[[threading.Event], Iterator[Event]]:
    def script(_cancelled: threading.Event) -> Iterator[Event]:
        if not first:
            yield TextDelta("Some")
        raise error

    return script


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_of(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def engine(settings: Settings) -> WebEngine:
    return WebEngine(settings=settings)


@pytest.fixture(scope="module")
def url(engine: WebEngine, settings: Settings) -> Iterator[str]:
    """A server over a scripted engine, and a real library of a dozen papers."""
    real = small_engine(settings)
    services = services_of(engine, settings.home, shelf=Shelf(real))
    services.engine.retrieve = real.retrieve  # type: ignore[method-assign]
    with serving(app_of(services)) as address:
        yield address
    services.conversations.close()
    real.close()


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with client_of(url) as one:
        yield one


# --- asking ---------------------------------------------------------------------------------------


def test_an_answer_streams_as_events_that_join_to_the_whole(client: httpx.Client, engine: WebEngine) -> None:
    engine.scripts.append(says)
    with client.stream("POST", "/api/ask", json={"question": "What?"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        told = list(events_of(response))
    assert [name for name, _ in told] == ["searched", "text", "text", "finished"]
    paper = {"paper_id": "fast-x", "title": "Fast X", "published": "2021-08-19"}
    assert told[0][1] == {"query_used": "what", "filters": {"published_from": "2020-01-01"}, "papers": [paper]}
    assert "".join(data["text"] for _, data in told[1:3]) == WHOLE.answer
    assert told[3][1] == json.loads(json.dumps(WHOLE.as_dict()))


def test_without_streaming_it_is_the_same_answer_and_every_wish_reaches_the_engine(
    client: httpx.Client, engine: WebEngine
) -> None:
    engine.scripts.append(says)
    history = [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}]
    filters = {"published_to": "2024-12-31", "paper_ids": ["fast-x"]}
    wishes = {"history": history, "answerer": "local", "style": "short", "filters": filters, "stream": False}
    response = client.post("/api/ask", json={"question": "What?", **wishes})
    assert response.json() == json.loads(json.dumps(WHOLE.as_dict()))
    assert engine.asked[-1] == {
        "question": "What?",
        "history": [Turn("user", "A?"), Turn("assistant", "B.")],
        "answerer": "local",
        "style": "short",
        "within": Filters(published_to=date(2024, 12, 31), paper_ids=("fast-x",)),
    }


def test_the_documented_answer_is_the_answer(client: httpx.Client) -> None:
    strict = create_model("Strict", __base__=AnswerOut, __config__=None)
    strict.model_config["extra"] = "forbid"
    strict.model_rebuild(force=True)
    assert set(strict.model_validate(WHOLE.as_dict()).model_dump()) == set(WHOLE.as_dict())
    described = client.get("/openapi.json").json()
    assert {path for path in described["paths"] if path.startswith("/api")} == {
        "/api/ask",
        "/api/retrieve",
        "/api/papers",
        "/api/papers/{paper_id}",
    }
    assert all(route.get("summary") for path in described["paths"].values() for route in path.values())


FAILURES = [
    (errors.QuestionError, 400),
    (errors.SettingsError, 400),
    (errors.NotFoundError, 404),
    (errors.LibraryEmptyError, 409),
    (errors.LibraryLockedError, 409),
    (errors.FingerprintError, 503),
    (errors.LibraryError, 503),
    (errors.ModelError, 503),
    (errors.EndpointBusyError, 503),
    (errors.EndpointError, 502),
    (errors.PaperchatError, 500),
]


@pytest.mark.parametrize(("kind", "status"), FAILURES)
def test_each_failure_has_its_status_and_the_same_form_as_in_the_terminal(
    kind: type[errors.PaperchatError], status: int, client: httpx.Client, engine: WebEngine
) -> None:
    error = kind("It broke.", "Mend it.")
    assert status_of(error) == status
    for stream in (True, False):
        engine.scripts.append(raising(error, first=True))
        response = client.post("/api/ask", json={"question": "What?", "stream": stream})
        assert (response.status_code, response.json()) == (status, {"error": error.as_dict()})


def test_a_failure_on_the_way_is_the_last_event_and_an_unexpected_one_tells_nothing(
    client: httpx.Client, engine: WebEngine, caplog: pytest.LogCaptureFixture
) -> None:
    for error, kind in (
        (errors.EndpointError("It broke.", "Mend it."), "EndpointError"),
        (KeyError("s"), "InternalError"),
    ):
        engine.scripts.append(raising(error, first=False))
        with client.stream("POST", "/api/ask", json={"question": "What?"}) as response:
            told = list(events_of(response))
        assert [name for name, _ in told] == ["text", "error"]
        assert told[1][1]["type"] == kind
    engine.scripts.append(raising(KeyError("s"), first=True))
    response = client.post("/api/ask", json={"question": "What?", "stream": False})
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "InternalError"
    assert "KeyError" not in response.text
    assert any(record.exc_info for record in caplog.records), "the log has it"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "question"),
        ({"question": 5}, "question"),
        ({"question": "What?", "sytle": "short"}, "sytle"),
        ({"question": "What?", "answerer": "gpt"}, "answerer"),
        ({"question": "What?", "history": [{"role": "system", "content": "x"}]}, "history.0.role"),
        ({"question": "What?", "filters": {"published_from": "soon"}}, "filters.published_from"),
        ([], "the body"),
    ],
)
def test_a_malformed_request_is_told_which_field_is_wrong(body: Any, told: str, client: httpx.Client) -> None:
    response = client.post("/api/ask", json=body)
    assert response.status_code == 422
    assert told in response.json()["error"]["message"]


def test_no_json_a_huge_body_and_an_unknown_path_are_refused_in_the_same_form(client: httpx.Client) -> None:
    json_type = {"content-type": "application/json"}
    huge = {"question": "x" * 2_000_000}
    for response, status in (
        (client.post("/api/ask", content=b"{", headers=json_type), 422),
        (client.post("/api/ask", json=huge), 413),
        (client.post("/api/ask", content=iter([json.dumps(huge).encode()]), headers=json_type), 413),
        (client.get("/api/ask"), 404),
        (client.get("/api/nothing"), 404),
    ):
        assert response.status_code == status
        assert set(response.json()["error"]) == {"type", "message", "remedy", "retryable"}


# --- queues, and people who leave -----------------------------------------------------------------


def test_who_waits_is_told_how_many_are_before_and_is_answered_next(client: httpx.Client, engine: WebEngine) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slow(_cancelled: threading.Event) -> Iterator[Event]:
        yield TextDelta("Indexes")
        begun.set()
        go_on.wait(30)
        yield Finished(WHOLE)

    engine.scripts += [slow, says]
    asked = {"question": "What?", "answerer": "local"}
    with client.stream("POST", "/api/ask", json=asked) as first:
        assert begun.wait(30)
        with client.stream("POST", "/api/ask", json=asked) as second:
            told = events_of(second)
            assert next(told) == ("waiting", {"before": 1})
            assert 'paperchat_waiting{answerer="local"} 1.0' in client.get("/metrics").text
            go_on.set()
            assert [name for name, _ in told] == ["searched", "text", "text", "finished"]
        assert [name for name, _ in events_of(first)] == ["text", "finished"]


def test_auto_stands_in_the_queue_of_whoever_really_answers(home: Path) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slow(_cancelled: threading.Event) -> Iterator[Event]:
        begun.set()
        go_on.wait(30)
        yield Finished(WHOLE)

    services = services_of(WebEngine(slow, settings=settings_of(home)), home, shelf=object())
    asked = {"question": "What?", "answerer": "auto", "stream": False}
    with serving(app_of(services)) as url, client_of(url) as client:
        asking = threading.Thread(target=client.post, args=("/api/ask",), kwargs={"json": asked})
        asking.start()
        assert begun.wait(30)
        in_use = {kind: services.turnstiles.of(kind).in_use for kind in SLOTS}
        counted = client.get("/metrics").text
        go_on.set()
        asking.join(30)
    assert in_use == {"quotes": 1, "local": 0, "openai": 0, "auto": 0}, "there is no endpoint"
    assert 'paperchat_answering{answerer="quotes"} 1.0' in counted
    services.conversations.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("broken", ["start", "work"])
def test_an_answer_without_a_thread_ends_and_gives_its_place_back(
    broken: str, stream: bool, client: httpx.Client, engine: WebEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def none_left(thread: threading.Thread) -> None:
        if thread.name == "paperchat-api":
            raise RuntimeError("can't start new thread")
        start(thread)

    def dies(_cancelled: threading.Event) -> Iterator[Event]:
        raise SystemExit

    asked = {"question": "What?", "answerer": "local", "stream": stream}
    with monkeypatch.context() as patched:
        if broken == "start":
            patched.setattr(threading.Thread, "start", none_left)
        else:
            engine.scripts.append(dies)
        response = client.post("/api/ask", json=asked)
    assert (response.status_code, response.json()["error"]["type"]) == (500, "InternalError")
    engine.scripts.append(says)
    assert client.post("/api/ask", json=asked | {"stream": False}).status_code == 200, "its only place is free"


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_stops_the_answer_and_frees_its_place(
    stream: bool, url: str, engine: WebEngine
) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def silent(cancelled: threading.Event) -> Iterator[Event]:
        yield TextDelta("Some")
        begun.set()
        if cancelled.wait(30):
            stopped.set()

    engine.scripts += [silent, says]
    asked = {"question": "What?", "answerer": "local", "stream": stream}
    with client_of(url) as client:
        leaving = threading.Thread(target=_ask_and_leave, args=(url, asked, begun))
        leaving.start()
        assert stopped.wait(30)
        leaving.join(30)
        assert client.post("/api/ask", json=asked | {"stream": False}).status_code == 200


def _ask_and_leave(url: str, asked: dict[str, Any], begun: threading.Event) -> None:
    with (
        suppress(httpx.ReadTimeout),
        client_of(url) as client,
        client.stream("POST", "/api/ask", json=asked, timeout=4) as response,
    ):
        assert begun.wait(30)
        response.read()


def test_a_client_that_goes_away_ends_the_request_to_the_models_endpoint(home: Path) -> None:
    hanging = Reply(sse(chunk("Attention is")), hang=True)
    with endpoint(hanging) as stub:
        engine = small_engine(settings_of(home, openai_base_url=stub.url, answerer="openai"))
        services = services_of(engine, home)
        asked = {"question": "Is number3 better than baseline3?"}
        with serving(app_of(services)) as url:
            with client_of(url) as client, client.stream("POST", "/api/ask", json=asked) as response:
                told = events_of(response)
                assert next(told)[0] == "searched"
                assert stub.asked.wait(30)
                assert not stub.disconnected.is_set()
            assert stub.disconnected.wait(30)
        services.conversations.close()
        engine.close()


def test_the_server_ends_while_answers_are_open(home: Path) -> None:
    begun = threading.Event()

    def silent(cancelled: threading.Event) -> Iterator[Event]:
        yield TextDelta("Some")
        begun.set()
        cancelled.wait(60)

    services = services_of(WebEngine(silent, settings=settings_of(home)), home, shelf=object())
    with ExitStack() as running:
        url = running.enter_context(serving(app_of(services)))
        threading.Thread(target=_ask_and_leave_by_force, args=(url,), daemon=True).start()
        assert begun.wait(30)
        with soon(5):
            running.close()
    services.conversations.close()


def _ask_and_leave_by_force(url: str) -> None:
    with suppress(httpx.HTTPError), client_of(url) as client:
        client.post("/api/ask", json={"question": "What?"})


# --- papers, exports, health ----------------------------------------------------------------------


UNKNOWN = {"authors": [], "arxiv_id": None, "doi": None, "url": None, "has_full_text": False}


def test_a_paper_comes_with_its_authors_its_identifiers_and_no_more_of_its_date_than_is_known() -> None:
    known: dict[str, Any] = {"arxiv_id": "2108.00001", "doi": "10.1/x", "url": "https://example.org"}
    names = ("Ada Fern", "Bo Wall")
    dated = replace(PAPERS[3], published=date(2021, 8, 1), date_of="month")
    paper = replace(dated, authors=names, body_hash="ab", **known)
    shown = PaperOut.of(paper).model_dump()
    assert shown | known | {"authors": list(names), "has_full_text": True, "published": "2021-08"} == shown
    cited = (Citation(1, paper, "", 0, 0, 1.0),)
    told = answered("X [1].", cited, nearest=(replace(paper, date_of="year"),)).as_dict()
    assert (told["citations"][0]["published"], told["nearest"][0]["published"]) == ("2021-08", "2021")
    assert searched_dict(Searched("x", Filters(), (found(paper, dense=0.5),)))["papers"][0]["published"] == "2021-08"


def test_papers_are_listed_a_part_at_a_time_and_each_has_its_sources(client: httpx.Client) -> None:
    listed = [
        client.get("/api/papers", params={"offset": at, "limit": 5, "order": "title"}).json() for at in (0, 5, 10)
    ]
    assert {page["total"] for page in listed} == {len(PAPERS)}
    ids = [paper["paper_id"] for page in listed for paper in page["papers"]]
    assert sorted(ids) == sorted(paper.paper_id for paper in PAPERS)
    one = PAPERS[3]
    details = client.get(f"/api/papers/{one.paper_id}").json()
    assert details["sources"] == ["page.txt"]
    assert (details["paper"]["title"], details["paper"]["abstract"]) == (one.title, one.abstract)
    assert details["paper"] | UNKNOWN == details["paper"]
    assert client.get("/api/papers/none").status_code == 404
    for wrong in ({"limit": 0}, {"limit": 201}, {"offset": -1}, {"order": "random"}, {"published_from": "soon"}):
        assert client.get("/api/papers", params=wrong).status_code == 422


def test_papers_are_found_by_words_organisation_and_date(client: httpx.Client) -> None:
    wanted = {"organisation": "Org 3", "published_from": "2016-01-01", "published_to": "2021-12-31"}
    found = client.get("/api/papers", params=wanted).json()["papers"]
    admits = Filters(date(2016, 1, 1), date(2021, 12, 31), "Org 3").admits
    assert {paper["paper_id"] for paper in found} == {paper.paper_id for paper in PAPERS if admits(paper)}
    assert found
    by_words = client.get("/api/papers", params={"query": "number7"}).json()
    assert by_words["papers"][0]["paper_id"] == PAPERS[7].paper_id


def test_retrieving_gives_ranks_and_scores(client: httpx.Client) -> None:
    response = client.post("/api/retrieve", json={"question": PAPERS[2].title, "k": 3})
    found = response.json()["papers"]
    assert [paper["rank"] for paper in found] == [1, 2, 3]
    assert found[0]["paper_id"] == PAPERS[2].paper_id
    assert {"dense", "words", "fused", "score"} <= set(found[0]["scores"])
    told = client.get("/openapi.json").json()["components"]["schemas"]["RankedOut"]["properties"]
    parts = set(re.findall(r"\w+", told["scores"]["description"]))
    assert {name.removesuffix("_rank") for paper in found for name in paper["scores"]} <= parts
    assert "ordered" in told["score"]["description"]
    assert found[0]["matched"] == list(subject_words(PAPERS[2].title).values())
    assert found[0]["missing"] == []
    assert response.json()["sides"] == []
    assert client.post("/api/retrieve", json={"question": " "}).status_code == 400


def test_a_conversation_is_exported_to_whoever_has_its_link(home: Path) -> None:
    services = services_of(WebEngine(settings=settings_of(home)), home, shelf=object())
    store = services.conversations
    chat = store.create("cookie:someone", 'Über "indexes"\r\nX: y')
    store.save_turn(
        chat, "cookie:someone", StoredTurn(1, "What?", "2026-11-21T12:00:00+00:00", WHOLE.answer, WHOLE), ()
    )
    with serving(app_of(services)) as url, client_of(url) as client:
        texts = {form: client.get(f"/export/{chat}.{form}") for form in ("md", "json", "bib")}
        assert client.get("/export/none.md").status_code == 404
        assert client.get(f"/export/{chat}.exe").status_code == 422
    for form, response in texts.items():
        assert response.status_code == 200
        assert "Fast X" in response.text
        assert response.headers["content-disposition"].startswith("attachment; ")
        assert response.headers["content-disposition"].endswith(f"{form}")
        assert response.headers["content-type"].split(";")[0] != "text/html"
    assert texts["json"].json()
    store.close()


def test_questions_are_counted_by_how_they_ended(client: httpx.Client, engine: WebEngine) -> None:
    def count(outcome: str) -> float:
        labels = {"answerer": "openai", "outcome": outcome}
        return METRICS.registry.get_sample_value("paperchat_questions_total", labels) or 0

    before = {outcome: count(outcome) for outcome in ("answered", "failed", "stopped")}
    engine.scripts += [says, raising(errors.ModelError("No.", "Yes."), first=False)]
    for _ in range(2):
        client.post("/api/ask", json={"question": "What is secret?", "answerer": "openai", "stream": False})
    events = METRICS.watched(says(threading.Event()), "openai")
    next(events)
    events.close()
    assert {outcome: count(outcome) - before[outcome] for outcome in before} == {
        "answered": 1,
        "failed": 1,
        "stopped": 1,
    }
    text = client.get("/metrics").text
    assert 'paperchat_errors_total{type="ModelError"}' in text
    assert 'paperchat_answering{answerer="openai"} 0.0' in text
    assert "secret" not in text


def test_health_says_loading_ok_and_failing(home: Path) -> None:
    warmup = SimpleNamespace(done=lambda: False, problem="")
    shelf = SimpleNamespace(count=lambda: 3)
    services = services_of(WebEngine(settings=settings_of(home)), home, warmup=warmup, shelf=shelf)
    with serving(app_of(services)) as url, client_of(url) as client:
        loading = client.get("/healthz").json()
        assert loading["status"] == "loading"
        warmup.done = lambda: True
        well = client.get("/healthz").json()
        assert (well["status"], well["papers"], well["instance"]) == ("ok", 3, loading["instance"])
        warmup.problem = "The models are gone."
        failing = client.get("/healthz")
        assert (failing.status_code, failing.json()["status"]) == (503, "failing")
        assert "models" not in failing.text
        shelf.count = lambda: 0
        assert client.get("/healthz").json()["status"] == "ok", "an empty library can be filled"

        def broken() -> int:
            raise errors.LibraryError("Damaged.", "Repair it.")

        shelf.count = broken
        assert client.get("/healthz").status_code == 503
    services.conversations.close()
