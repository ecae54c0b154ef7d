"""What of a filled form can be used, what cannot and why, and that no key goes where it was not meant to go."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from rag.answer.adapted import adapted_settings
from rag.papers import Filters
from rag.settings import Settings
from ui.preferences import Preferences
from ui.settings_form import Form, Key, endpoint_host, endpoint_origin, offers_endpoint, read

OURS, THEIRS = "sk-of-the-server-0123", "sk-of-the-person-0123"
SERVER = "http://llm.example:8000/v1"


def server(**fields: object) -> Settings:
    return Settings(_env_file=None, **fields)  # type: ignore[arg-type]


def form(**fields: object) -> Form:
    filled = Form()
    for name, value in fields.items():
        setattr(filled, name, value)
    return filled


def key(address: str = "", own: Settings | None = None) -> Key:
    """A person's key for the endpoint at this address."""
    return Key(SecretStr(THEIRS), endpoint_origin(address, own or server()))


class TestReading:
    """From what was typed to what holds."""

    def test_an_empty_form_is_the_server_as_it_is(self) -> None:
        reading = read(Form(), server(openai_base_url=SERVER, openai_api_key=OURS))
        assert reading.preferences == Preferences()
        assert reading.problems == {}
        assert reading.preferences.settings() == {}
        assert not reading.preferences.period

    def test_what_the_server_has_anyway_is_no_choice(self) -> None:
        own = server(openai_base_url=SERVER, answerer="quotes", style="short", sources=7, openai_model="m")
        typed = form(answerer="quotes", style="short", sources="7", base_url=SERVER + "/", model="m")
        assert read(typed, own).preferences == Preferences()

    def test_every_field_is_taken(self) -> None:
        typed = form(
            answerer="openai",
            style="bullets",
            sources="20",
            published_from="2021-08-19",
            published_to="2022-01-01",
            base_url="http://localhost:11434/v1",
            model="llama3",
            key=key("http://localhost:11434/v1"),
        )
        preferences = read(typed, server()).preferences
        assert preferences.settings() == {
            "answerer": "openai",
            "style": "bullets",
            "sources": 20,
            "openai_base_url": "http://localhost:11434/v1",
            "openai_model": "llama3",
            "openai_api_key": SecretStr(THEIRS),
        }
        assert preferences.period == Filters(published_from=date(2021, 8, 19), published_to=date(2022, 1, 1))

    @pytest.mark.parametrize(("typed", "taken"), [("1", 1), ("20", 20), ("0", None), ("21", None), ("5.5", None)])
    def test_the_number_of_sources_has_bounds(self, typed: str, taken: int | None) -> None:
        reading = read(form(sources=typed), server())
        assert reading.preferences.sources == taken
        assert ("sources" in reading.problems) == (taken is None)

    @pytest.mark.parametrize(
        ("first", "last"), [("2023-05-01", "2022-05-01"), ("2023-13-01", ""), ("", "x"), ("2023-02-29", "2024-01-01")]
    )
    def test_a_range_that_is_none_is_not_used_by_half(self, first: str, last: str) -> None:
        reading = read(form(published_from=first, published_to=last), server())
        assert not reading.preferences.period
        assert "papers of all dates" in reading.problems["period"]

    def test_an_endpoint_is_chosen_only_where_there_is_one(self) -> None:
        reading = read(form(answerer="openai"), server(answerer="quotes"))
        assert reading.preferences.answerer is None
        assert "address or a key" in reading.problems["answerer"]
        for known in (form(answerer="openai", base_url=SERVER), form(answerer="openai", key=key())):
            assert read(known, server(answerer="quotes")).preferences.answerer == "openai"
        assert read(form(answerer="openai"), server(openai_base_url=SERVER)).preferences.answerer == "openai"

    def test_a_local_model_is_chosen_only_where_there_is_one(self) -> None:
        assert read(form(answerer="local"), server()).preferences.answerer == "local"
        reading = read(form(answerer="local"), server(), "It is not installed.")
        assert reading.preferences.answerer is None
        assert reading.problems == {"answerer": "It is not installed."}

    @given(st.fixed_dictionaries({}, optional={name: st.text() for name in Form.__slots__[:7]}), st.text())
    def test_whatever_is_typed_gives_settings_that_hold_and_sentences(
        self, typed: dict[str, str], entered: str
    ) -> None:
        filled, own = Form(), server(openai_base_url=SERVER, openai_api_key=OURS)
        for name, value in typed.items():
            assert filled.fill(name, value)
        refused = filled.take_endpoint(filled.base_url, entered, own)
        reading = read(filled, own)
        adapted = adapted_settings(own, reading.preferences.settings())
        assert 1 <= adapted.sources <= 20
        assert all(problem.endswith(".") for problem in [*reading.problems.values(), refused or "."])

    @pytest.mark.parametrize(
        "name",
        ["key", "key_forgotten", "listed", "asked", "said", "cleared", "fill", "__class__", "", None, 3, ["style"]],
    )
    def test_the_browser_fills_fields_only(self, name: object) -> None:
        filled = Form()
        assert not filled.fill(name, "x")
        assert not filled.fill("style", 3)
        assert filled == Form()


class TestAddresses:
    """Where a language model is to be found."""

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("localhost:11434/v1", "no web address"),
            ("ftp://localhost/v1", "no web address"),
            ("file:///etc/passwd", "no web address"),
            ("http://", "no web address"),
            ("http://[", "no web address"),
            ("javascript:alert(1)", "no web address"),
            ("http://me:hunter2@localhost/v1", "no user name or password"),
            ("http://localhost/v1?api_key=hunter2", "no ? or #"),
            ("http://localhost/v1#hunter2", "no ? or #"),
            ("http://localhost/v1/chat/completions", "Leave out /chat/completions"),
        ],
    )
    def test_what_is_none_is_said_without_repeating_it(self, typed: str, said: str) -> None:
        reading = read(form(base_url=typed), server())
        assert reading.preferences.base_url is None
        assert said in reading.problems["base_url"]
        assert "hunter2" not in repr(reading)

    def test_the_host_is_the_typed_one_then_the_servers_then_openais(self) -> None:
        typed = Preferences(base_url="http://localhost:11434/v1")
        assert endpoint_host(typed, server(openai_base_url=SERVER)) == "localhost:11434"
        assert endpoint_host(Preferences(), server(openai_base_url=SERVER)) == "llm.example:8000"
        assert endpoint_host(Preferences(api_key=SecretStr(THEIRS)), server()) == "api.openai.com"
        assert endpoint_host(Preferences(), server(openai_api_key=OURS)) == "api.openai.com"
        assert endpoint_host(Preferences(), server()) == ""

    @pytest.mark.parametrize(
        ("fields", "offered"),
        [
            ({}, True),
            ({"host": "localhost"}, True),
            ({"host": "::1"}, True),
            ({"host": "127.8.0.1"}, True),
            ({"host": "0.0.0.0"}, False),
            ({"host": "::"}, False),
            ({"host": "192.168.1.5"}, False),
            ({"host": "papers.example"}, False),
            ({"names": "papers.example"}, False),
            ({"auth": "ada:$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA"}, False),
        ],
    )
    def test_only_people_of_this_machine_may_bring_an_endpoint(self, fields: dict[str, str], offered: bool) -> None:
        own = server(openai_base_url=SERVER, openai_api_key=OURS, **fields)
        assert offers_endpoint(own) == offered
        typed = form(base_url="http://169.254.169.254/v1", model="x", key=key("http://169.254.169.254"), style="short")
        changes = read(typed, own).preferences.settings()
        assert changes.pop("style") == "short"
        assert bool(changes) == offered


class TestKeys:
    """A key goes to the server that it is for, and nowhere else."""

    def test_the_servers_key_does_not_go_to_another_address(self) -> None:
        own = server(openai_base_url=SERVER, openai_api_key=OURS)
        elsewhere = read(form(base_url="http://evil.example/v1"), own).preferences
        assert elsewhere.settings()["openai_api_key"] is None
        assert adapted_settings(own, elsewhere.settings()).openai_api_key is None
        same = read(form(base_url=SERVER, style="short"), own).preferences
        assert adapted_settings(own, same.settings()).openai_api_key == SecretStr(OURS)

    def test_a_key_of_ones_own_goes_to_the_servers_address(self) -> None:
        own = server(openai_base_url=SERVER, openai_api_key=OURS)
        changes = read(form(key=key("", own)), own).preferences.settings()
        assert changes == {"openai_api_key": SecretStr(THEIRS)}

    @pytest.mark.parametrize(
        ("configured", "before", "after", "kept"),
        [
            (None, "http://a:1/v1", "http://a:1/v1/", True),
            (None, "http://a:1", "http://a:1/v1", True),
            (None, "http://a/v1", "HTTP://A:80/v2", True),
            (None, "", "https://api.openai.com/v1", True),
            (SERVER, "", "http://llm.example:8000", True),
            (SERVER, SERVER, "", True),
            (None, "", "http://a:1/v1", False),
            (SERVER, "", "http://a:1/v1", False),
            (SERVER, "", "https://api.openai.com/v1", False),
            (SERVER, SERVER, "nonsense", False),
            (None, "http://a:1/v1", "http://a:2/v1", False),
            (None, "http://a/v1", "https://a/v1", False),
            (None, "http://a/v1", "http://b/v1", False),
            (None, "http://a/v1", "http://a@b/v1", False),
            (None, "http://a/v1", "", False),
            (None, "http://a/v1", "http://[", False),
        ],
    )
    def test_a_key_is_forgotten_with_the_endpoint_it_was_for(
        self, configured: str | None, before: str, after: str, kept: bool
    ) -> None:
        filled, own = Form(), server(openai_base_url=configured)
        assert filled.take_endpoint(before, THEIRS, own) == ""
        assert filled.key is not None
        assert not filled.key_forgotten
        filled.take_endpoint(after, "", own)
        assert (filled.key is not None) == kept
        assert filled.key_forgotten == (not kept)
        assert (read(filled, own).preferences.api_key is not None) == kept
        filled.take_endpoint(before, "", own)
        assert (filled.key is not None) == kept, "coming back does not bring it back"
        filled.take_endpoint(after, "", own)
        assert filled.key_forgotten == (not kept), "it is said for as long as it matters"

    def test_a_key_that_comes_with_its_address_stays_and_replaces_another(self) -> None:
        filled = Form()
        filled.take_endpoint("", OURS, server())
        filled.take_endpoint("http://a:1/v1", THEIRS, server())
        assert read(filled, server()).preferences.api_key == SecretStr(THEIRS)
        assert not filled.key_forgotten

    @pytest.mark.parametrize("address", ["localhost:11434", "http://a/v1?x", "http://["])
    def test_a_key_with_an_address_that_cannot_be_used_goes_nowhere(self, address: str) -> None:
        filled, own = Form(), server(openai_base_url=SERVER, openai_api_key=OURS)
        assert "Enter it again" in filled.take_endpoint(address, THEIRS, own)
        assert filled.key is None
        assert read(filled, own).preferences.settings() == {}

    @given(st.lists(st.tuples(st.sampled_from(["", SERVER, "http://a/v1", "http://b/v1", "x"]), st.booleans())))
    def test_in_any_order_of_changes_a_key_holds_only_where_it_was_last_entered(
        self, events: list[tuple[str, bool]]
    ) -> None:
        filled, own, meant = Form(), server(openai_base_url=SERVER), ""
        for number, (address, entered) in enumerate(events):
            filled.take_endpoint(address, f"sk-{number}" if entered else "", own)
            here = endpoint_origin(address, own)
            meant = here if entered or meant == here else ""
            assert bool(read(filled, own).preferences.api_key) == bool(meant)

    def test_an_address_that_comes_past_its_field_takes_no_key_along(self) -> None:
        filled = Form()
        filled.take_endpoint("http://a/v1", THEIRS, server())
        filled.fill("base_url", "http://evil.example/v1")
        assert read(filled, server()).preferences.settings()["openai_api_key"] is None

    @pytest.mark.parametrize("typed", ["sk two words", "sk-\nx", "schlüssel", "x" * 2001, "sk-\x00"])
    def test_what_cannot_be_a_key_is_not_kept_or_repeated(self, typed: str) -> None:
        filled = Form()
        problem = filled.take_endpoint("", typed, server())
        assert filled.key is None
        assert problem.endswith("Copy it again.")
        assert typed not in problem

    def test_no_text_of_it_shows_a_key(self) -> None:
        filled = Form()
        assert filled.take_endpoint("", f"  {THEIRS}\n", server()) == ""
        assert filled.key == key()
        assert THEIRS not in f"{filled!r} {read(filled, server())!r} {read(filled, server()).preferences}"

    def test_clearing_forgets_everything(self) -> None:
        filled = form(base_url=SERVER, style="short", key=key(SERVER), listed=(SERVER, SecretStr(THEIRS)))
        filled.key_forgotten = True
        filled.clear()
        assert read(filled, server()).preferences == Preferences()
        assert THEIRS not in repr([getattr(filled, name) for name in Form.__slots__])
        assert (filled.key, filled.listed) == (None, None)
        assert not filled.key_forgotten
