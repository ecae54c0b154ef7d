"""Kept conversations: each is there for its owner, found by its words, and gone once it is deleted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule
from test_stored import ANSWER

from rag.conversations import ConversationStore, StoredTurn, title_of
from rag.conversations import store as store_module
from rag.conversations.titles import MAX_TITLE, UNTITLED
from rag.errors import ConflictError, NotFoundError
from rag.papers import Filters

ANN, BOB = "cookie:ann", "user:bob"
DAY = date(2026, 11, 21)
FILTERS = Filters(published_from=DAY, min_authors=0, max_authors=9, organisation="Kyutai", paper_ids=("b", "a"))


@pytest.fixture
def file(home: Path) -> Path:
    return home / "conversations.sqlite3"


@pytest.fixture
def store(file: Path) -> Iterator[ConversationStore]:
    with closing(ConversationStore(file)) as opened:
        yield opened


def at(number: int) -> str:
    return f"2026-11-21T19:30:00.{number:06}+00:00"


def turn(number: int, question: str = "How many layers?", text: str = "It has 48 [1].") -> StoredTurn:
    return StoredTurn(number, question, at(number), text)


def save(store: ConversationStore, conversation_id: str, owner: str, one: StoredTurn) -> None:
    """As a tab does that knows of every turn."""
    known = [kept.asked_at for kept in store.load(conversation_id)[1]]
    store.save_turn(conversation_id, owner, one, [asked for asked in known if asked != one.asked_at])


def titles(store: ConversationStore, owner: str = ANN, query: str = "") -> list[str]:
    return [summary.title for summary in store.list(owner, query)]


# --- keeping ---------------------------------------------------------------------------------------


def test_a_conversation_is_there_with_every_turn_after_the_file_was_closed(file: Path) -> None:
    turns = [
        replace(turn(1), answer=ANSWER),
        replace(turn(2, text="It"), stopped=True),
        replace(turn(3, text=""), problem="The endpoint is not reachable. Start it."),
        replace(turn(4), filters=FILTERS, within=Filters(paper_ids=()), as_typed=True),
    ]
    with closing(ConversationStore(file)) as store:
        mine = store.create(ANN, "Layers of DeBERTa")
        for place, one in enumerate(turns):
            store.save_turn(mine, ANN, one, [earlier.asked_at for earlier in turns[:place]])
    with closing(ConversationStore(file)) as store:
        summary, kept = store.load(mine)
        assert kept == turns
        assert store.list(ANN) == [summary]
    assert (summary.conversation_id, summary.owner, summary.title, summary.turns) == (mine, ANN, "Layers of DeBERTa", 4)
    assert datetime.fromisoformat(summary.created) < datetime.fromisoformat(summary.updated) <= datetime.now(UTC)


def test_the_last_turn_is_replaced_while_it_is_written_and_later_ones_can_be_dropped(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    for number in (1, 2, 3):
        save(store, mine, ANN, turn(number, "about zebras"))
    store.save_turn(mine, ANN, turn(3, "about lions"), [at(1), at(2)])
    assert store.load(mine)[1] == [turn(1, "about zebras"), turn(2, "about zebras"), turn(3, "about lions")]
    store.drop_turns(mine, ANN, 3, [at(1), at(2), at(3)])
    assert store.load(mine)[1] == [turn(1, "about zebras"), turn(2, "about zebras")]
    store.drop_turns(mine, ANN, 1, [at(1), at(2)])
    summary, turns = store.load(mine)
    assert (summary.turns, turns) == (0, [])
    assert titles(store, query="zebras") == titles(store, query="lions") == []


def test_the_end_of_a_turn_may_come_after_the_next_one_has_begun(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    store.save_turn(mine, ANN, turn(1, text=""), [])
    store.save_turn(mine, ANN, turn(2, text=""), [at(1)])
    store.save_turn(mine, ANN, turn(1, text="Late"), [at(1), at(2)])
    assert [kept.text for kept in store.load(mine)[1]] == ["Late", ""]
    with pytest.raises(ConflictError):
        store.save_turn(mine, ANN, replace(turn(1), number=3), [at(1), at(2)])


def kept_limits(store: ConversationStore, one: StoredTurn) -> StoredTurn:
    mine = store.create(ANN, "T")
    store.save_turn(mine, ANN, one, [])
    return store.load(mine)[1][0]


def any_filters() -> st.SearchStrategy[Filters]:
    days, counts, texts = st.none() | st.dates(), st.none() | st.integers(0), st.none() | st.text(max_size=9)
    ids = st.none() | st.lists(st.text(max_size=9), max_size=3).map(tuple)
    return st.builds(Filters, days, days, texts, counts, counts, ids)


@given(st.none() | any_filters(), any_filters(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_how_a_question_was_asked_is_read_back_exactly(
    shared_store: ConversationStore, filters: Filters | None, within: Filters, as_typed: bool
) -> None:
    one = replace(turn(1), filters=filters, within=within, as_typed=as_typed)
    assert kept_limits(shared_store, one) == one


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "{",
        "3",
        "[]",
        "NaN",
        '{"filters": 3}',
        '{"within": {"published_from": "yesterday"}, "as_typed": true}',
        '{"within": null}',
        "[" * 200_000,
        b"\xff",
        7,
    ],
)
def test_limits_that_cannot_be_read_are_as_those_of_most_questions(store: ConversationStore, kept: object) -> None:
    mine = store.create(ANN, "T")
    store.save_turn(mine, ANN, replace(turn(1), filters=FILTERS, within=FILTERS, as_typed=True), [])
    store._database.changed("UPDATE turns SET limits = ?", (kept,))
    assert store.load(mine)[1] == [turn(1)]


# --- two tabs --------------------------------------------------------------------------------------


def test_what_a_tab_has_not_seen_is_never_overwritten(store: ConversationStore) -> None:
    mine = store.create(ANN, "Zebras")
    save(store, mine, ANN, turn(1))
    of_one, of_the_other = turn(2, "of one tab"), replace(turn(2, "of the other tab"), asked_at=at(77))
    store.save_turn(mine, ANN, of_one, [at(1)])
    before = store.load(mine)
    refused = [
        lambda: store.save_turn(mine, ANN, of_the_other, [at(1)]),
        lambda: store.save_turn(mine, ANN, replace(of_the_other, number=3), [at(1)]),
        lambda: store.save_turn(mine, ANN, turn(1, "changed"), []),
        lambda: store.save_turn(mine, ANN, turn(3), [at(2), at(1)]),
        lambda: store.save_turn(mine, ANN, turn(3), [at(1), at(77)]),
        lambda: store.save_turn(mine, ANN, turn(3), [at(1), at(2), at(3)]),
        lambda: store.save_turn(mine, ANN, replace(turn(3), number=2), [at(1), at(2)]),
        lambda: store.drop_turns(mine, ANN, 1, [at(1)]),
        lambda: store.drop_turns(mine, ANN, 3, []),
        lambda: store.drop_turns(mine, ANN, 1, [at(1), at(77)]),
    ]
    for change in refused:
        with pytest.raises(ConflictError, match=r"^This conversation went on in another tab\. \S"):
            change()
    assert store.load(mine) == before
    store.save_turn(mine, ANN, replace(of_one, text="to the end"), [at(1)])
    assert store.load(mine)[1] == [turn(1), replace(of_one, text="to the end")]


def test_a_turn_that_another_tab_dropped_does_not_come_back(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    save(store, mine, ANN, turn(1))
    save(store, mine, ANN, turn(2))
    store.drop_turns(mine, ANN, 1, [at(1), at(2)])
    with pytest.raises(ConflictError):
        store.save_turn(mine, ANN, turn(2, text="to the end"), [at(1)])
    assert store.load(mine)[1] == []


def test_of_two_tabs_that_ask_at_once_one_goes_on_in_the_conversation(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    turns = [replace(turn(1, f"{tab}"), asked_at=at(tab)) for tab in range(8)]
    won: list[StoredTurn] = []

    def ask(one: StoredTurn) -> None:
        with suppress(ConflictError):
            store.save_turn(mine, ANN, one, [])
            won.append(one)

    threads = [threading.Thread(target=ask, args=(one,)) for one in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.load(mine)[1] == won


def test_ids_are_long_random_and_fit_into_an_address(store: ConversationStore) -> None:
    ids = {store.create(ANN, "T") for _ in range(50)}
    assert len(ids) == 50
    assert all(re.fullmatch(r"[\w-]{22}", i, re.ASCII) for i in ids)


def test_the_latest_comes_first_and_a_new_name_does_not_move_it(store: ConversationStore) -> None:
    first, second, third = (store.create(ANN, title) for title in ("first", "second", "third"))
    assert titles(store) == ["third", "second", "first"]
    save(store, first, ANN, turn(1))
    store.rename(second, ANN, "  another\nname ")
    assert titles(store) == ["first", "third", "another name"]
    assert [summary.conversation_id for summary in store.list(ANN, limit=2)] == [first, third]


def test_a_name_without_a_visible_character_becomes_a_name_all_the_same(store: ConversationStore) -> None:
    mine = store.create(ANN, "\u200d \n")
    assert titles(store) == [UNTITLED]
    store.rename(mine, ANN, "x" * 5000)
    (title,) = titles(store)
    assert len(title) == 120


# --- whose ---------------------------------------------------------------------------------------


def test_nobody_else_sees_it_in_a_list_or_changes_it(store: ConversationStore) -> None:
    mine = store.create(ANN, "Mine")
    save(store, mine, ANN, turn(1, "zebras"))
    assert store.list(BOB) == store.list(BOB, "zebras") == store.list("") == []
    foreign = [
        lambda i: store.save_turn(i, BOB, turn(1, "changed"), []),
        lambda i: store.drop_turns(i, BOB, 1, [at(1)]),
        lambda i: store.rename(i, BOB, "Changed"),
        lambda i: store.delete(i, BOB),
        lambda i: store.restore(i, BOB),
    ]
    said = set()
    for change in foreign:
        for i in (mine, "x" * len(mine)):
            with pytest.raises(NotFoundError) as told:
                change(i)
            said.add(str(told.value).replace(i, "ID"))
    assert len(said) == 1, "whether an id exists is not told"
    assert store.load(mine)[1] == [turn(1, "zebras")]
    assert titles(store) == ["Mine"]


def test_who_has_the_link_reads_it_and_goes_on_from_a_copy(store: ConversationStore) -> None:
    anns = store.create(ANN, "Layers")
    save(store, anns, ANN, replace(turn(1, "zebras"), answer=ANSWER))
    summary, turns = store.load(anns)
    bobs = store.copy_of(BOB, summary.title, turns)
    save(store, bobs, BOB, turn(2, "lions"))
    assert store.load(anns)[1] == store.load(bobs)[1][:1] == turns
    assert (store.load(bobs)[0].owner, store.load(bobs)[0].turns) == (BOB, 2)
    assert titles(store, BOB, "zebras lions") == ["Layers"]
    assert titles(store, ANN, "lions") == []
    with pytest.raises(NotFoundError, match="There is no conversation 'nothing' here"):
        store.load("nothing")
    with pytest.raises(NotFoundError):
        store.load("half \ud800 a pair")


# --- deleting ------------------------------------------------------------------------------------


def test_deleting_can_be_undone(store: ConversationStore) -> None:
    mine = store.create(ANN, "Zebras")
    save(store, mine, ANN, turn(1))
    before = store.load(mine)
    store.delete(mine, ANN)
    assert store.list(ANN) == store.list(ANN, "zebras") == []
    for use in (store.load, lambda i: store.save_turn(i, ANN, turn(2), [at(1)])):
        with pytest.raises(NotFoundError):
            use(mine)
    store.restore(mine, ANN)
    store.restore(mine, ANN)
    assert store.load(mine) == before
    assert titles(store, query="zebras") == ["Zebras"]


def test_what_was_deleted_is_overwritten_when_its_time_is_over(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in file.parent.glob("conversations.sqlite3*"))

    with closing(ConversationStore(file)) as store:
        kept, secret = store.create(ANN, "Kept"), store.create(ANN, "Xylophonequartz")
        save(store, kept, ANN, turn(1, "zebras"))
        save(store, secret, ANN, turn(1, "xylophonequartz"))
        store.delete(secret, ANN)
    assert b"xylophonequartz" in on_disk()
    ConversationStore(file).close()
    assert b"xylophonequartz" in on_disk(), "it can still be restored"
    monkeypatch.setattr(store_module, "KEPT_FOR_UNDO", timedelta(0))
    with closing(ConversationStore(file)) as store:
        assert b"ylophonequart" not in on_disk()
        assert titles(store, query="zebras") == ["Kept"]
        with pytest.raises(NotFoundError):
            store.restore(secret, ANN)
        store.delete(kept, ANN)
        assert b"zebra" not in on_disk(), "deleting and beginning sweep as well"


# --- searching -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("layers", True),
        ("LAYERS deberta", True),
        ("lay", True),
        ("ayers", False),
        ("layers absent", False),
        ("resume", True),
        ("48", True),
        ("state-of", True),
        ("Renamed", True),
        ("[1]", False),
        ('"layers"', True),
        ("layers OR absent", False),
        ("NOT layers*", False),
        ("layers)", True),
        ("ANN", False),
        ("--", False),
        ("\x00", False),
        ("注意力", True),
    ],
)
def test_every_word_must_occur_in_the_title_the_questions_or_the_answers(
    store: ConversationStore, query: str, found: bool
) -> None:
    mine = store.create(ANN, "T")
    save(store, mine, ANN, turn(1, "How many layers has DeBERTa?", "It has\n48 of them [1], state-of-the-art."))
    save(store, mine, ANN, turn(2, "And the Résumé?", "注意力机制"))
    store.rename(mine, ANN, "Renamed")
    assert titles(store, query=query) == (["Renamed"] if found else [])


def test_the_snippet_is_plain_text_around_the_hit(store: ConversationStore) -> None:
    mine = store.create(ANN, "T")
    text = "word " * 60 + "the <b>zebra</b>\nruns [1]. " + "word " * 60
    save(store, mine, ANN, turn(1, "Why?", text))
    (summary,) = store.list(ANN, "zeb")
    assert "the <b>zebra</b> runs. word" in summary.snippet
    assert summary.snippet.startswith("…word")
    assert len(summary.snippet) < 120
    assert store.list(ANN)[0].snippet == ""


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_can_be_kept_and_looked_for(shared_store: ConversationStore, said: str, query: str) -> None:
    mine = shared_store.create(said, said)
    shared_store.save_turn(mine, said, StoredTurn(1, said, said, said, problem=said), [])
    shared_store.save_turn(mine, said, StoredTurn(2, said, "later", said, problem=said), [said])
    shared_store.drop_turns(mine, said, 2, [said, "later"])
    assert shared_store.load(mine)[1] == [StoredTurn(1, said, said, said, problem=said)]
    shared_store.list(said, query)
    word = next((word for word in said.split() if word.isascii() and word.isalnum()), None)
    if word:
        assert mine in [summary.conversation_id for summary in shared_store.list(said, word[:3])]


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConversationStore]:
    with closing(ConversationStore(tmp_path_factory.mktemp("any") / "c.sqlite3")) as opened:
        yield opened


def test_half_a_surrogate_pair_is_kept_as_a_question_mark(store: ConversationStore) -> None:
    mine = store.create(ANN, "half \ud800 a pair")
    half = Filters(organisation="\ud800", paper_ids=("\ud800",))
    store.save_turn(mine, ANN, replace(turn(1, "\ud800", "\udfff"), asked_at="\ud800", filters=half), [])
    store.save_turn(mine, ANN, turn(2), ["\ud800"])
    store.drop_turns(mine, ANN, 2, ["\ud800", at(2)])
    whole = Filters(organisation="?", paper_ids=("?",))
    assert store.load(mine)[1] == [replace(turn(1, "?", "?"), asked_at="?", filters=whole)]
    assert titles(store, query="half \ud800") == ["half ? a pair"]


# --- against a plain model -----------------------------------------------------------------------


class Kept(RuleBasedStateMachine):
    """Any order of changes leaves what a dictionary would hold."""

    ids = Bundle("ids")

    @initialize()
    def begin(self) -> None:
        self.store = ConversationStore(Path("model.sqlite3").absolute())
        self.model: dict[str, tuple[str, str, dict[int, StoredTurn]]] = {}
        self.deleted: dict[str, tuple[str, str, dict[int, StoredTurn]]] = {}

    def teardown(self) -> None:
        self.store.close()
        for path in Path().glob("model.sqlite3*"):
            path.unlink()

    @rule(target=ids, owner=st.sampled_from([ANN, BOB]), title=st.sampled_from(["a", "b"]))
    def create(self, owner: str, title: str) -> str:
        made = self.store.create(owner, title)
        self.model[made] = (owner, title, {})
        return made

    @rule(target=ids, i=ids, owner=st.sampled_from([ANN, BOB]))
    def copy(self, i: str, owner: str) -> str:
        if i not in self.model:
            return i
        title, turns = self.model[i][1:]
        made = self.store.copy_of(owner, title, [turns[n] for n in sorted(turns)])
        self.model[made] = (owner, title, dict(turns))
        return made

    @rule(
        i=ids,
        owner=st.sampled_from([ANN, BOB]),
        number=st.integers(1, 4),
        text=st.sampled_from(["x", "y"]),
        unseen=st.booleans(),
    )
    def save(self, i: str, owner: str, number: int, text: str, unseen: bool) -> None:
        one, turns = turn(number, text), self.model[i][2] if i in self.model else {}
        before = [at(n) for n in sorted(turns) if n < number]
        changed = self._mine(
            i,
            owner,
            lambda: self.store.save_turn(i, owner, one, before[1:] if unseen else before),
            conflicts=max(turns, default=0) > number or (unseen and bool(before)),
        )
        if changed:
            turns[number] = one

    @rule(i=ids, owner=st.sampled_from([ANN, BOB]), first=st.integers(0, 4), unseen=st.booleans())
    def drop(self, i: str, owner: str, first: int, unseen: bool) -> None:
        turns = self.model[i][2] if i in self.model else {}
        known = [at(n) for n in sorted(turns)]
        changed = self._mine(
            i,
            owner,
            lambda: self.store.drop_turns(i, owner, first, known[:-1] if unseen else known),
            conflicts=unseen and bool(known),
        )
        if changed:
            for number in [n for n in turns if n >= first]:
                del turns[number]

    @rule(i=consumes(ids), owner=st.sampled_from([ANN, BOB]))
    def delete(self, i: str, owner: str) -> None:
        if self._mine(i, owner, lambda: self.store.delete(i, owner)):
            self.deleted[i] = self.model.pop(i)

    @rule(target=ids)
    def restore(self) -> str:
        if not self.deleted:
            return self.create(ANN, "a")
        i, kept = self.deleted.popitem()
        self.store.restore(i, kept[0])
        self.model[i] = kept
        return i

    @rule(owner=st.sampled_from([ANN, BOB]), query=st.sampled_from(["", "x", "y", "a"]))
    def compare(self, owner: str, query: str) -> None:
        found = {s.conversation_id: (s.title, s.turns) for s in self.store.list(owner, query)}
        assert found == {
            i: (title, len(turns))
            for i, (whose, title, turns) in self.model.items()
            if whose == owner and (query in title or any(query == one.question for one in turns.values()))
        }
        for i, (_, _, turns) in self.model.items():
            assert self.store.load(i)[1] == [turns[n] for n in sorted(turns)]

    def _mine(self, i: str, owner: str, change: Callable[[], None], *, conflicts: bool = False) -> bool:
        mine = i in self.model and self.model[i][0] == owner
        if mine and not conflicts:
            change()
            return True
        with pytest.raises(ConflictError if mine else NotFoundError):
            change()
        return False


Kept.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


@pytest.mark.usefixtures("home")
class TestKept(Kept.TestCase):
    """Runs in the test's own folder."""


# --- titles --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How many layers has DeBERTa?", "How many layers has DeBERTa?"),
        ("  How many\n layers?\t", "How many layers?"),
        (
            "What does <EOS> do, and is 2 * 3 * 4 in snake_case_names?",
            "What does <EOS> do, and is 2 * 3 * 4 in snake_case_names?",
        ),
        ("# What is **LoRA** in `code`, *really*?", "What is LoRA in code, really?"),
        ("- one\n- two", "one two"),
        ("a\u202eb\x1b[2Jc", "a b [2Jc"),
        ("\u200b \n", UNTITLED),
        ("", UNTITLED),
        (
            "What is the difference between HNeRV and NeRV++, in words that a newcomer understands?",
            "What is the difference between HNeRV and NeRV++, in words…",
        ),
        ("x" * 100, "x" * 59 + "…"),
        ("see " + "x" * 100, "see " + "x" * 55 + "…"),
    ],
)
def test_a_question_becomes_a_title(question: str, title: str) -> None:
    assert title_of(question) == title


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_question_becomes_one_short_line(question: str) -> None:
    title = title_of(question)
    assert 0 < len(title) <= MAX_TITLE
    assert title == " ".join(title.split())
    assert all(c.isprintable() or c in "\u200c\u200d" for c in title)
