"""The log-in: who comes in, what a guess costs, and secrets that show nowhere."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher
from conftest import Cli
from hypothesis import given, settings
from hypothesis import strategies as st
from web_helpers import WebEngine, app_of, client_of, services_of, serving, settings_of

from rag.errors import SettingsError
from rag.settings import Settings, load_settings
from ui.web import login
from ui.web.login import Gatekeeper, TooManyTries, hashed

PASSWORD = "correct horse: battery"
TOKEN = "a-token-of-20-characters-or-more"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # the argument, not the cost, is tested here
ADA, JOERG = (f"{name}:{CHEAP.hash(PASSWORD + name)}" for name in ("ada", "jörg"))


def basic(user: str, password: str) -> str:
    """What a browser sends."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def gatekeeper(
    home: Path, *, first_delay_s: float = 0.0, auth: str = f"{ADA} {JOERG}", token: str = TOKEN
) -> Gatekeeper:
    return Gatekeeper(settings_of(home, auth=auth, token=token), first_delay_s)


# --- the gatekeeper -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "user"),
    [
        (basic("ada", PASSWORD + "ada"), "ada"),
        (basic("jörg", PASSWORD + "jörg"), "jörg"),
        (f"Bearer {TOKEN}", "token"),
        (f"bearer  {TOKEN} ", "token"),
        (basic("token", TOKEN), "token"),
        (basic("ada", PASSWORD + "jörg"), None),
        (basic("ada", ""), None),
        (basic("", PASSWORD), None),
        (basic("nobody", PASSWORD + "ada"), None),
        (basic("ada", TOKEN), None),
        (basic("ada", "x" * 2000), None),
        (f"Bearer {TOKEN[:-1]}", None),
        (f"Bearer {TOKEN}x", None),
        ("Bearer ", None),
        ("Bearer ü", None),
        ("Basic !!!", None),
        ("Basic " + base64.b64encode(b"\xff\xfe:x").decode(), None),
        ("Digest x", None),
        ("", None),
    ],
)
def test_only_the_right_pair_and_the_right_token_come_in(authorization: str, user: str | None, home: Path) -> None:
    assert asyncio.run(gatekeeper(home).user(authorization, "1.2.3.4")) == user


def test_a_token_that_is_not_set_lets_nobody_in_and_without_either_nobody_is_asked(home: Path) -> None:
    only_users = Gatekeeper(settings_of(home, auth=ADA), 0)
    assert asyncio.run(only_users.user("Bearer ", "a")) is None
    assert asyncio.run(only_users.user(basic("token", ""), "a")) is None
    only_token = Gatekeeper(settings_of(home, token=TOKEN), 0)
    assert asyncio.run(only_token.user(basic("ada", PASSWORD + "ada"), "a")) is None
    assert not Gatekeeper(settings_of(home), 0).needed


def test_a_right_pair_is_verified_once_even_if_many_requests_bring_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    def slow(stored: str, password: str) -> bool:
        verified.append(password)
        time.sleep(0.05)
        return True

    monkeypatch.setattr(login, "_verified", slow)
    keeper = gatekeeper(home)

    async def many() -> list[str | None]:
        return await asyncio.gather(*(keeper.user(basic("ada", "x"), "a") for _ in range(50)))

    assert asyncio.run(many()) == ["ada"] * 50
    assert verified == ["x"]


def test_each_wrong_try_of_an_address_waits_longer_and_others_do_not(home: Path) -> None:
    keeper, slept = gatekeeper(home, first_delay_s=0.02), []

    async def guess(address: str) -> float:
        began = time.monotonic()
        assert await keeper.user(basic("ada", "wrong"), address) is None
        return time.monotonic() - began

    async def guessing() -> float:
        slept.extend([await guess("a") for _ in range(5)])
        return await guess("b")

    other = asyncio.run(guessing())
    assert slept[4] >= 0.16, "0, 1, 2, 4 and 8 times the first delay"
    assert other < slept[4]


def test_a_flood_of_wrong_tries_is_turned_away_while_whoever_is_in_stays_in(home: Path) -> None:
    keeper = gatekeeper(home, first_delay_s=0.1)

    async def flood() -> tuple[int, str | None]:
        right = basic("ada", PASSWORD + "ada")
        assert await keeper.user(right, "a") == "ada"
        await keeper.user("Bearer x", "a")
        tries = [asyncio.create_task(keeper.user(f"Bearer {n}", "a")) for n in range(50)]
        await asyncio.sleep(0.02)
        still_in = await keeper.user(right, "a")
        refused = sum(isinstance(task.exception(), TooManyTries) for task in tries if task.done())
        for task in tries:
            task.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
        return refused, still_in

    refused, still_in = asyncio.run(flood())
    assert refused == 50 - login.TRIES_AT_ONCE
    assert still_in == "ada"


@given(st.sampled_from(["", "Basic ", "Bearer ", "basic dG9rZW46"]), st.text(st.characters(max_codepoint=255)))
@settings(deadline=None)
def test_nothing_that_a_header_can_hold_comes_in_by_chance(scheme: str, rest: str) -> None:
    keeper = Gatekeeper(settings_of(Path("unused"), token=TOKEN), 0)
    assert asyncio.run(keeper.user(scheme + rest, "a")) is None


# --- behind a server ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("auth")
    engine = WebEngine(settings=settings_of(home, auth=f"{ADA} {JOERG}", token=TOKEN))
    services = services_of(engine, home, shelf=SimpleNamespace(count=lambda: 3))
    with serving(app_of(services)) as address:
        yield address
    services.conversations.close()


def test_without_a_log_in_nothing_is_told_but_health(url: str) -> None:
    with client_of(url) as client:
        for path in ("/", "/config", "/metrics", "/docs", "/openapi.json", "/api/papers", "/pc-static/act.js"):
            refused = client.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"].startswith("Basic ")
            assert refused.headers["x-frame-options"] == "DENY"
            assert "set-cookie" not in refused.headers
        assert client.post("/gradio_api/queue/join", json={}).status_code == 401
        assert set(client.get("/healthz").json()) == {"status", "instance", "papers", "version"}


def test_a_browser_a_program_and_a_page_event_come_in_under_their_name(url: str) -> None:
    from test_server import joined

    for headers, owner in (
        ({"authorization": basic("ada", PASSWORD + "ada")}, "user:ada"),
        ({"authorization": basic("jörg", PASSWORD + "jörg"), "x-paperchat-user": "ada"}, "user:jörg"),
        ({"authorization": f"Bearer {TOKEN}"}, "user:token"),
    ):
        with client_of(url, headers=headers) as client:
            assert client.get("/metrics").status_code == 200
            page = client.get("/")
            assert "set-cookie" not in page.headers, "a name is enough"
            assert joined(client, "I am") == f"I am {owner}"


def test_wrong_pairs_are_refused_and_never_logged(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with client_of(url, headers={"authorization": basic("ada", "guess-1234")}) as client:
        assert client.get("/metrics").status_code == 401
    with client_of(url, headers={"authorization": "Bearer guess-1234"}) as client:
        assert client.get("/metrics").status_code == 401
    written = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    assert "guess-1234" not in written
    assert base64.b64encode(b"ada:guess-1234").decode() not in written


def test_a_browser_that_is_logged_in_cannot_be_used_by_another_site(url: str) -> None:
    headers = {"authorization": basic("ada", PASSWORD + "ada"), "origin": "https://evil.example.org"}
    with client_of(url, headers=headers) as client:
        assert client.post("/api/ask", json={"question": "What?"}).status_code == 403


# --- settings and the command ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAPERCHAT_AUTH", "ada:plain-password"),
        ("PAPERCHAT_AUTH", f"{ADA} bob"),
        pytest.param("PAPERCHAT_AUTH", CHEAP.hash(PASSWORD), id="no name"),  # a hash is another each time
        ("PAPERCHAT_AUTH", f"{ADA} token:{CHEAP.hash(PASSWORD)}"),
        ("PAPERCHAT_TOKEN", "too-short-secret"),
        ("PAPERCHAT_TOKEN", "with spaces in it, which is wrong"),
    ],
)
def test_a_wrong_log_in_setting_is_refused_by_name_and_not_repeated(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as refused:
        load_settings()
    assert value not in str(refused.value)
    assert "plain-password" not in str(refused.value)


def test_secrets_show_in_no_settings(home: Path) -> None:
    chosen = settings_of(home, auth=f"{ADA}\n{JOERG}", token=TOKEN)
    assert set(chosen.accounts) == {"ada", "jörg"}
    for shown in (repr(chosen), str(chosen.model_dump()), chosen.model_dump_json()):
        assert TOKEN not in shown
        assert "argon2" not in shown


def test_what_is_given_replaces_what_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCHAT_PORT", "7001")
    monkeypatch.setenv("PAPERCHAT_HOST", "127.0.0.2")
    chosen = load_settings(port=7002, host=None, token=TOKEN)
    assert (chosen.port, chosen.host) == (7002, "127.0.0.2")
    assert chosen.token is not None
    with pytest.raises(SettingsError, match="PAPERCHAT_PORT"):
        load_settings(port=0)


def test_the_password_command_prints_what_logs_in(cli: Cli, home: Path) -> None:
    done = cli("password", "ada", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert PASSWORD not in done.stdout + done.stderr
    assert "PAPERCHAT_AUTH" in done.stderr
    Path(".env").write_text(f"PAPERCHAT_AUTH='{line}'\n", encoding="utf-8")
    read = load_settings()
    assert set(read.accounts) == {"ada"}
    assert asyncio.run(Gatekeeper(read).user(basic("ada", PASSWORD), "a")) == "ada"


@pytest.mark.parametrize(
    ("user", "typed", "told"),
    [
        ("ada", "short\nshort\n", "too short"),
        ("a:b", "", "name"),
        ("two words", "", "name"),
        ("token", "", "Choose another name"),
    ],
)
def test_the_password_command_refuses_what_could_not_log_in(user: str, typed: str, told: str, cli: Cli) -> None:
    done = cli("password", user, stdin=typed)
    assert done.returncode != 0
    assert done.stdout == ""
    assert told in done.stderr


def test_hashes_are_argon2id_and_never_the_same() -> None:
    one, other = hashed(PASSWORD), hashed(PASSWORD)
    assert one.startswith("$argon2id$")
    assert one != other
    Settings(_env_file=None, auth=f"ada:{one}")  # type: ignore[call-arg,arg-type]
