"""Is the endpoint all right? Each fault of a real server gives a sentence that says what to do, and never the key."""

from __future__ import annotations

import json
import logging
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import soon
from stub_endpoint import Reply, StubEndpoint, endpoint, error, html, models, whole

from rag import probe
from rag.errors import EndpointError
from rag.probe import list_models, local_model_problem, probe_endpoint
from rag.settings import Settings

KEY = "sk-very-secret-0123456789"


def at(stub: StubEndpoint | str, **changes: object) -> Settings:
    """Settings for one endpoint, whatever the environment says."""
    url = stub if isinstance(stub, str) else stub.url
    fields = {"openai_base_url": url, "openai_api_key": KEY, "openai_model": "stub", **changes}
    return Settings(_env_file=None, **fields)


class TestWell:
    """An endpoint that answers."""

    def test_it_says_so_with_its_models_and_its_time(self) -> None:
        with endpoint(whole("OK")) as stub:
            stub.listing = models("zeta", "stub", "alpha", "stub")
            found = probe_endpoint(at(stub))
        assert found.ok
        assert found.models == ("alpha", "stub", "zeta")
        assert found.latency_ms > 0
        assert found.message == f"stub at {stub.host} answers ({found.latency_ms:.0f} ms)."
        assert stub.paths == ["/v1/models"]
        assert stub.requests[0]["max_tokens"] == 1
        assert [head["authorization"] for head in stub.headers] == [f"Bearer {KEY}"] * 2

    def test_a_model_that_wants_the_other_name_of_the_limit_is_asked_again(self) -> None:
        refusal = error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        with endpoint(refusal, whole("")) as stub:
            assert probe_endpoint(at(stub)).ok
        assert "max_tokens" not in stub.requests[1]
        assert stub.requests[1]["max_completion_tokens"] == 1

    def test_without_a_list_of_models_the_completion_decides(self) -> None:
        with endpoint(whole("OK")) as stub:
            stub.listing = html(404)
            found = probe_endpoint(at(stub))
            assert list_models(at(stub)) == ()
        assert found.ok
        assert found.models == ()

    def test_local_servers_need_no_key(self) -> None:
        with endpoint(whole("OK")) as stub:
            assert probe_endpoint(at(stub, openai_api_key=None)).ok
        assert stub.headers[0]["authorization"] == "Bearer none"

    @pytest.mark.parametrize(
        "body",
        [
            [{"id": "a"}, {"id": "b"}],
            {"models": [{"name": "b"}, {"name": "a"}]},
            {"data": [{"id": "a"}, {"id": "b"}, {"id": "x" * 201}, {"id": "line\nbreak"}, {"id": 5}, "c", None]},
        ],
    )
    def test_lists_of_several_shapes_are_read_and_odd_names_left_out(self, body: object) -> None:
        with endpoint(whole("OK")) as stub:
            stub.listing = Reply((json.dumps(body).encode(),), content_type="application/json")
            assert list_models(at(stub)) == ("a", "b")


FAULTS = [
    (error(401, f"Incorrect API key provided: {KEY}"), "refused the key (401). Check the key."),
    (error(403, f"no access for {KEY}"), "denied access (403)"),
    (error(429, "slow down"), "limits the rate of requests"),
    (error(503, "overloaded"), "failed (503): overloaded"),
    (error(500, KEY), "failed (500): [key]"),
    (error(418, "teapot"), "refused the request (418): teapot"),
    (html(), "sent a web page. Check the address; it usually ends in /v1."),
    (Reply((b"hello",), content_type="text/plain"), "no JSON"),
    (Reply(status=302, headers={"location": "http://127.0.0.1:9/"}), "redirects elsewhere (302), which is not"),
    (Reply((b"[" * 100_000,), content_type="application/json"), "no JSON"),
    (Reply((b" " * 500_000,) * 5, content_type="application/json"), "far more than was asked for"),
    (Reply((b'{"data"',), cut=True), "broke off the connection"),
]  # fmt: skip


class TestFaults:
    """What is wrong, and what to do."""

    @pytest.mark.parametrize(("reply", "said"), FAULTS)
    @pytest.mark.parametrize("where", ["models", "completion"])
    def test_every_fault_is_a_sentence_without_the_key(
        self, reply: Reply, said: str, where: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with endpoint(whole("OK") if where == "models" else reply) as stub:
            stub.listing = reply if where == "models" else models()
            found = probe_endpoint(at(stub))
            if where == "models":
                with pytest.raises(EndpointError) as caught:
                    list_models(at(stub))
                assert KEY not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}"
        assert not found.ok
        assert said in found.message
        assert found.message.startswith(stub.host)
        assert found.message.endswith(".")
        assert KEY not in f"{found!r}{caplog.text}"

    @pytest.mark.parametrize("status", [404, 400])
    def test_an_unknown_model_is_named_with_its_nearest(self, status: int) -> None:
        with endpoint(error(status, "The model `lama3` does not exist", code="model_not_found")) as stub:
            stub.listing = models("llama3", "mistral")
            found = probe_endpoint(at(stub, openai_model="lama3"))
        assert not found.ok
        assert f"knows no model “lama3” ({status}). Did you mean “llama3”?" in found.message
        assert found.models == ("llama3", "mistral")  # to choose from

    def test_an_unknown_model_like_none_that_there_is(self) -> None:
        with endpoint(error(404)) as stub:
            stub.listing = models("llama3", "mistral")
            assert "Choose one of its 2 models" in probe_endpoint(at(stub, openai_model="zzzz")).message
            stub.listing = html(404)
            assert "or nothing is at this address" in probe_endpoint(at(stub, openai_model="zzzz")).message

    def test_a_model_that_is_listed_but_cannot_chat_is_no_misspelling(self) -> None:
        with endpoint(error(404)) as stub:
            assert "lists the model “stub” but does not chat with it (404)" in probe_endpoint(at(stub)).message

    def test_a_missing_key_is_asked_for(self) -> None:
        with endpoint(whole("OK")) as stub:
            stub.listing = error(401)
            assert "wants a key (401). Enter one." in probe_endpoint(at(stub, openai_api_key=None)).message

    def test_a_completion_without_a_choice_is_none(self) -> None:
        with endpoint(Reply((b'{"choices": []}',), content_type="application/json")) as stub:
            assert "no chat completion" in probe_endpoint(at(stub)).message

    def test_a_closed_port_is_no_connection(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        found = probe_endpoint(at(url))
        assert found.message.startswith("No connection to 127.0.0.1:")
        assert "Check that it runs" in found.message

    def test_https_where_http_is_spoken_is_told(self) -> None:
        with endpoint(whole("OK")) as stub:
            found = probe_endpoint(at(stub.url.replace("http:", "https:")))
        assert "No secure connection" in found.message

    @pytest.mark.parametrize("slow", [Reply(silent=True), Reply((b" ",) * 100, pause=0.1)])
    def test_a_silent_or_trickling_endpoint_is_given_up(self, slow: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probe, "PATIENCE_S", 0.5)
        with endpoint(whole("OK")) as stub:
            stub.listing = slow
            with soon(3):
                found = probe_endpoint(at(stub))
        assert "did not answer within" in found.message
        assert stub.disconnected.wait(30)

    def test_nothing_is_asked_where_nothing_is_set(self) -> None:
        nothing = Settings(_env_file=None)
        assert probe_endpoint(nothing).message == "No endpoint is set. Enter its address, or a key for OpenAI."
        with pytest.raises(EndpointError, match="No endpoint"):
            list_models(nothing)

    @pytest.mark.parametrize("key", ["sk-häßlich", "sk-line\nbreak"])
    def test_a_key_that_cannot_be_one_is_not_sent(self, key: str) -> None:
        with endpoint(whole("OK")) as stub:
            found = probe_endpoint(at(stub, openai_api_key=key))
        assert "characters that no key has" in found.message
        assert stub.headers == []

    def test_eight_at_once_do_not_mix(self) -> None:
        with endpoint(whole("OK")) as stub:
            found: list[probe.Probe] = []
            threads = [threading.Thread(target=lambda: found.append(probe_endpoint(at(stub)))) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert [one.ok for one in found] == [True] * 8


@pytest.fixture(scope="module")
def stub() -> StubEndpoint:
    with endpoint(whole("OK")) as running:
        yield running


KEYS = ["data", "id", "name", "choices", "error", "message", "models", "type"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.sampled_from([200, 201, 204, 301, 400, 401, 404, 422, 429, 500, 599]), body=JSON, listed=JSON)
def test_whatever_json_comes_there_is_a_sentence(stub: StubEndpoint, status: int, body: object, listed: object) -> None:
    stub.script[:] = [Reply((json.dumps(body).encode(),), status=status, content_type="application/json")]
    stub.listing = Reply((json.dumps(listed).encode(),), content_type="application/json")
    found = probe_endpoint(at(stub))
    assert found.message.startswith(("stub at", stub.host))
    assert KEY not in found.message
    assert all(isinstance(name, str) for name in found.models)


def test_the_local_models_file_is_looked_for(tmp_path: Path) -> None:
    assert local_model_problem(Settings(_env_file=None)) == ""
    missing = local_model_problem(Settings(_env_file=None, local_model=tmp_path / "none.gguf"))
    assert "none.gguf" in missing
    assert "PAPERCHAT_LOCAL_MODEL" in missing
