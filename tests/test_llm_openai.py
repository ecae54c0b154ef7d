"""Every way in which an endpoint can fail ends in one clear line; the key never shows."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from patience import soon
from pydantic import SecretStr

from rag.errors import EndpointBusyError, EndpointError
from rag.models.endpoint_errors import SchemaRefusedError
from rag.models.interfaces import Message, Piece
from rag.models.openai_llm import Endpoint, OpenAIGenerator
from tests.stub_endpoint import Reply, Script, answer, chunk, endpoint, error, html, sse

KEY = "sk-test-Zm9vYmFyYmF6cXV1eA"
ASK = [Message("system", "Be brief."), Message("user", "How small?")]


def generator(url: str, **changes: Any) -> OpenAIGenerator:
    settings: dict[str, Any] = {"model": "stub-model", "key": SecretStr(KEY), "timeout_s": 30.0, "retries": 2}
    return OpenAIGenerator(Endpoint(base_url=url, **(settings | changes)))


def run(*script: Script, **changes: Any) -> list[Piece]:
    with endpoint(*script) as stub:
        return list(generator(stub.url, **changes).stream(ASK, max_tokens=50))


def failure(*script: Script, **changes: Any) -> EndpointError:
    with endpoint(*script) as stub, pytest.raises(EndpointError) as caught:
        list(generator(stub.url, **changes).stream(ASK, max_tokens=50))
    if "host" not in changes:
        assert stub.host in caught.value.message
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown
    assert KEY[:12] not in shown
    assert caught.value.__context__ is None  # the client's own error could hold the key
    return caught.value


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_streams_text_usage_and_finish_reason() -> None:
    with endpoint(answer("Fourteen times smaller.")) as stub:
        pieces = list(generator(stub.url).stream(ASK, max_tokens=50))
        sent, headers = stub.requests[0], stub.headers[0]
    assert text_of(pieces) == "Fourteen times smaller."
    assert len(pieces) > 3
    assert pieces[-1].finish_reason == "stop"
    assert pieces[-1].usage == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert (sent["temperature"], sent["max_tokens"], sent["stream"], sent["model"]) == (0, 50, True, "stub-model")
    assert sent["messages"] == [{"role": m.role, "content": m.content} for m in ASK]
    assert headers["authorization"] == f"Bearer {KEY}"


def test_without_a_key_a_placeholder_is_sent_and_not_one_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    with endpoint(answer("Yes.")) as stub:
        list(generator(stub.url, key=None).stream(ASK, max_tokens=5))
        assert stub.headers[0]["authorization"] == "Bearer none"


def test_options_reach_the_request() -> None:
    with endpoint(answer("{}")) as stub:
        list(generator(stub.url).stream(ASK, max_tokens=5, response_format={"type": "json_object"}))
        assert stub.requests[0]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("stream_options", "Unrecognized request argument supplied: stream_options"),
        ("temperature", "Unsupported value: 'temperature' does not support 0 with this model."),
        ("max_tokens", "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."),
    ],
)
def test_a_refused_parameter_is_left_out_and_stays_out(named: str, message: str) -> None:
    with endpoint(error(400, message), answer("Fine.")) as stub:
        model = generator(stub.url)
        assert text_of(list(model.stream(ASK, max_tokens=50))) == "Fine."
        assert named in stub.requests[0]
        assert named not in stub.requests[1]
        assert ("max_completion_tokens" in stub.requests[1]) == (named == "max_tokens")
        list(model.stream(ASK, max_tokens=50))
        assert len(stub.requests) == 3


def test_an_endpoint_that_refuses_everything_is_not_asked_for_ever() -> None:
    with endpoint(error(400, "bad stream_options and max_tokens and temperature")) as stub:
        with pytest.raises(EndpointError, match="refused the request"):
            list(generator(stub.url).stream(ASK, max_tokens=50))
        assert len(stub.requests) <= 5


def test_an_endpoint_that_does_not_stream_is_understood() -> None:
    body = b'{"choices":[{"message":{"content":"All at once."},"finish_reason":"stop"}],"usage":{"prompt_tokens":4}}'
    pieces = run(Reply((body,), content_type="application/json"))
    assert pieces == [Piece("All at once."), Piece(finish_reason="stop", usage={"prompt_tokens": 4})]


SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}


@pytest.mark.parametrize(
    "message",
    [
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "This model does not support response format `json_schema`.",
        "Structured outputs are not available for this deployment.",
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_schema_is_an_error_of_its_own_and_remembered(status: int, message: str) -> None:
    with endpoint(error(status, message), answer("Fine.")) as stub:
        model = generator(stub.url)
        assert model.structured
        for _ in range(2):  # the second time without asking
            with pytest.raises(SchemaRefusedError):
                list(model.stream(ASK, max_tokens=50, response_format=SCHEMA))
            assert not model.structured
            assert len(stub.requests) == 1
        assert text_of(list(model.stream(ASK, max_tokens=50))) == "Fine."


def test_another_parameter_refused_beside_a_schema_does_not_cost_the_schema() -> None:
    with endpoint(error(400, "Unrecognized request argument supplied: stream_options"), answer("{}")) as stub:
        model = generator(stub.url)
        list(model.stream(ASK, max_tokens=50, response_format=SCHEMA))
        assert model.structured
        assert stub.requests[1]["response_format"] == SCHEMA


# --- stopping ------------------------------------------------------------------------------------

SOON = 0.5


def test_the_server_sees_the_disconnect_when_the_iterator_is_closed() -> None:
    with endpoint(Reply(sse(chunk("One "), chunk("two")), hang=True)) as stub:
        pieces = generator(stub.url).stream(ASK, max_tokens=50)
        assert isinstance(pieces, Iterator)
        assert next(pieces).text == "One "
        assert not stub.disconnected.is_set()
        with soon(SOON):
            pieces.close()  # type: ignore[attr-defined]
            assert stub.disconnected.wait(30)


class Listener:
    """Reads a stream in a thread, as the chat does, and can be told to stop."""

    def __init__(self, model: OpenAIGenerator) -> None:
        self.cancelled = threading.Event()
        self.pieces: list[Piece] = []
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._listen, args=(model,))
        self.thread.start()

    def _listen(self, model: OpenAIGenerator) -> None:
        try:
            for piece in model.stream(ASK, max_tokens=50, cancelled=self.cancelled):
                self.pieces.append(piece)
        except EndpointError as error:
            self.error = error

    def heard(self, words: str) -> None:
        """Until these words have come."""
        deadline = time.monotonic() + 30
        while words not in text_of(self.pieces):
            assert time.monotonic() < deadline, self.pieces
            time.sleep(0.01)

    def stop(self) -> None:
        """Until the iterator has ended."""
        self.cancelled.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        assert self.error is None


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        pytest.param(Reply(silent=True), "", id="no status line yet"),
        pytest.param(Reply(hang=True), "", id="only headers"),
        pytest.param(Reply(sse(chunk("One ")), hang=True), "One ", id="silent after a word"),
        pytest.param(Reply((b'{"choices": [',), content_type="application/json", hang=True), "", id="half a JSON"),
    ],
)
def test_stop_closes_a_silent_connection_at_once(reply: Reply, seen: str) -> None:
    with endpoint(reply) as stub:
        listener = Listener(generator(stub.url))
        assert stub.asked.wait(30)
        listener.heard(seen)
        time.sleep(0.2)
        assert not stub.disconnected.is_set()
        with soon(SOON):
            listener.stop()
            assert stub.disconnected.wait(30)
    assert text_of(listener.pieces) == seen


def test_stop_ends_a_stream_that_never_pauses() -> None:
    with endpoint(answer("word " * 2000, piece=5, pause=0.002)) as stub:
        listener = Listener(generator(stub.url))
        listener.heard("word")
        with soon(SOON):
            listener.stop()
            assert stub.disconnected.wait(30)
    assert 0 < len(listener.pieces) < 2000


def test_stop_ends_the_sleep_before_another_try() -> None:
    with endpoint(error(429, "slow down", {"retry-after": "30"}), answer("Late.")) as stub:
        listener = Listener(generator(stub.url))
        assert stub.asked.wait(30)
        time.sleep(0.2)
        with soon(SOON):
            listener.stop()
        time.sleep(0.1)
        assert len(stub.requests) == 1
    assert not listener.pieces


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a full backlog lets connections wait only there")
def test_stop_ends_the_attempt_to_connect() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the backlog is full after the first or second
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        listener = Listener(generator(f"http://127.0.0.1:{full.getsockname()[1]}/v1"))
        time.sleep(0.3)
        assert listener.thread.is_alive()
        with soon(SOON):
            listener.stop()


def test_nothing_is_sent_when_it_was_stopped_before() -> None:
    stopped = threading.Event()
    stopped.set()
    with endpoint(answer("Never.")) as stub:
        assert list(generator(stub.url).stream(ASK, max_tokens=50, cancelled=stopped)) == []
        assert not stub.requests


def test_after_a_stop_the_next_question_is_answered() -> None:
    with endpoint(Reply(hang=True), answer("Still here.")) as stub:
        model = generator(stub.url)
        listener = Listener(model)
        assert stub.asked.wait(30)
        listener.stop()
        assert text_of(list(model.stream(ASK, max_tokens=50))) == "Still here."


def test_many_questions_at_once_share_one_thread() -> None:
    with endpoint(answer("Yes.", pause=0.02)) as stub:
        model = generator(stub.url)
        before = {thread for thread in threading.enumerate() if thread.name == "paperchat-event-loop"}
        listeners = [Listener(model) for _ in range(8)]
        loops = {thread for thread in threading.enumerate() if thread.name == "paperchat-event-loop"}
        for listener in listeners:
            listener.thread.join(30)
        assert [text_of(listener.pieces) for listener in listeners] == ["Yes."] * 8
    assert len(loops - before) <= 1


def test_429_is_asked_again_after_the_time_it_names() -> None:
    busy = error(429, "slow down", {"retry-after": "1"})
    started = time.monotonic()
    with soon(2):
        assert text_of(run(busy, answer("Now."))) == "Now."
    assert time.monotonic() - started >= 1


def test_429_for_ever_is_busy_and_says_when_to_come_back() -> None:
    found = failure(error(429, "slow down", {"retry-after": "600"}))
    assert isinstance(found, EndpointBusyError)
    assert found.retryable
    assert "429" in found.message
    assert "600 s" in found.remedy


def test_a_used_up_quota_is_not_called_busy() -> None:
    found = failure(error(429, "You exceeded your current quota", type="insufficient_quota"), retries=0)
    assert not isinstance(found, EndpointBusyError)
    assert "quota" in found.message


def test_500_then_well() -> None:
    assert text_of(run(error(500), answer("Well."))) == "Well."


UNAUTHORISED = error(401, f"Incorrect API key provided: {KEY}")
OVERFLOW = error(
    400, "This model's maximum context length is 10 tokens; reduce max_tokens.", code="context_length_exceeded"
)
BROKEN = Reply((b'{"choices": [{"mess',), content_type="application/json")
REASONING = Reply(sse(chunk(), chunk(finish="length"), "[DONE]"))


@pytest.mark.parametrize(
    ("script", "busy", "says"),
    [
        pytest.param([UNAUTHORISED], False, "refused the API key (401).", id="401 with the key echoed"),
        pytest.param([error(403, f"{KEY} may not")], False, "denied access (403): [key] may not.", id="403"),
        pytest.param([error(404, "no such model")], False, "knows no model 'stub-model'", id="404"),
        pytest.param([html(404)], False, "OPENAI_BASE_URL", id="404 in HTML"),
        pytest.param([error(500, "oops")], True, "failed (500): oops.", id="500"),
        pytest.param([error(503)], True, "failed (503)", id="503"),
        pytest.param([html(502)], True, "failed (502).", id="502 in HTML"),
        pytest.param([error(302, headers={"location": "http://127.0.0.1:9/v1"})], False, "redirects", id="302"),
        pytest.param([OVERFLOW], False, "Lower PAPERCHAT_CONTEXT_TOKENS.", id="overflow"),
        pytest.param([error(400, f"bad key={KEY}!")], False, "refused the request (400): bad [key].", id="400 echo"),
        pytest.param([html()], False, "no chat completion (text/html)", id="HTML with 200"),
        pytest.param([BROKEN], False, "no chat completion", id="truncated JSON"),
        pytest.param([Reply(sse(chunk("half"), '{"choices": [{"de'))], False, "no chat completion", id="broken event"),
        pytest.param([Reply(sse("[1]", "42", "null"))], False, "no chat completion", id="JSON of another shape"),
        pytest.param([Reply((b"\xff\xfe\x00garbage\n\n",))], False, "", id="bytes that are no text"),
        pytest.param([Reply(sse({**chunk(), "choices": []}, "[DONE]"))], False, "no chat completion", id="no choices"),
        pytest.param(
            [Reply((b'{"choices": []}',), content_type="application/json")], False, "", id="no choices, whole"
        ),
        pytest.param([Reply(sse("[DONE]"))], False, "no chat completion", id="nothing at all"),
        pytest.param([Reply(sse(chunk(None), chunk(finish="stop"), "[DONE]"))], False, "no text", id="null content"),
        pytest.param([REASONING], False, "PAPERCHAT_ANSWER_TOKENS", id="all tokens spent on thinking"),
        pytest.param([Reply(sse(chunk("No", "content_filter")))], False, "content filter", id="filtered"),
        pytest.param([Reply(sse(chunk("half an")))], True, "was cut off", id="stream ends early"),
        pytest.param([Reply(sse(chunk("half an")), cut=True)], True, "was cut off", id="connection lost"),
        pytest.param([Reply(sse({"error": {"message": f"boom {KEY}"}}))], False, "boom [key]", id="error event"),
    ],
)
def test_each_fault_ends_in_one_line(script: list[Script], busy: bool, says: str) -> None:
    found = failure(*script, retries=0)
    assert isinstance(found, EndpointBusyError) == busy
    assert says in str(found)


@pytest.mark.parametrize(
    "reply",
    [Reply(silent=True), Reply(hang=True), Reply(sse(chunk("One")), hang=True)],
    ids=["never answers", "only headers", "stops in the middle"],
)
def test_waiting_ends_at_the_timeout(reply: Reply) -> None:
    with soon(3):
        found = failure(reply, timeout_s=0.3, retries=0)
    assert isinstance(found, EndpointBusyError)
    assert "PAPERCHAT_TIMEOUT_S" in found.remedy


def test_a_slow_but_steady_stream_is_no_timeout() -> None:
    assert text_of(run(answer("abcdefgh", piece=1, pause=0.25), timeout_s=1.5)) == "abcdefgh"


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(EndpointBusyError) as caught:
        list(generator(f"http://user:{KEY}@127.0.0.1:{port}/v1", retries=0).stream(ASK, max_tokens=5))
    assert caught.value.message == f"No connection to 127.0.0.1:{port}."
    assert KEY not in str(caught.value)


def test_the_key_is_in_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with endpoint(answer("Yes."), UNAUTHORISED) as stub:
        model = generator(stub.url)
        list(model.stream(ASK, max_tokens=5))
        with pytest.raises(EndpointError):
            list(model.stream(ASK, max_tokens=5))
    assert KEY not in repr(model) + repr(vars(model)) + repr(model.endpoint) + repr(vars(model)["_errors"])
    assert KEY not in caplog.text
