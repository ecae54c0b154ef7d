"""Edits that make a supported claim wrong, what the grounding score makes of them, and degenerate bots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.edits.names import Gazetteer, wrong_name
from eval.edits.negation import wrong_direction, wrong_polarity
from eval.edits.numbers import wrong_number
from eval.edits.roles import swapped_roles
from eval.edits.units import wrong_unit
from eval.formats.labelled import LabelledItem, read_labelled
from eval.trust.bots import BOTS, against, bots_of_items, bots_of_run, real_row
from eval.trust.perturb import BLIND, TARGETS, Pair, blind_spots, outcome, perturb_files
from eval.trust.perturbations import PERTURBATIONS, Edit, Pool, perturb
from eval.trust.validate import grounder_of, remembering_grounders
from rag.answer.grounding import SUPPORTED, Support
from rag.models.interfaces import Embedder
from rag.numbers import quantities
from rag.terms import terms

SHARED = Path(__file__).parents[2] / "shared" / "grounding"
SEEDS = range(30)


class Words:
    """A score for tests without a model: the share of a text's words that the documents have; knows no grammar."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        pass

    def text_support(self, text: str, documents: Sequence[str]) -> Support:
        wanted, known = set(terms(text)), {term for document in documents for term in terms(document)}
        score = len(wanted & known) / len(wanted) if wanted else 1.0
        return Support(score, score >= SUPPORTED, None)


def item(claim: str, context: str = "Some passage.", label: int = 1, **fields: str) -> LabelledItem:
    return LabelledItem(id=fields.pop("id", claim), context=context, claim=claim, label=label, **fields)


def shared_items(name: str) -> list[LabelledItem]:
    path = SHARED / f"{name}.jsonl"
    assert path.is_file(), f"{path} is absent: this test needs the shared folder beside the checkout"
    return read_labelled(path)


# --- numbers and units ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claim",
    [
        "The model reaches 85.3 points [3].",
        "It was first sold in 1984.",
        "About 14% of patients had it [12].",
        "The genome has 7,489 base pairs.",
        "The treatment took 3-5 days.",
        "He was born on January 8, 1935.",
        "Three diseases are possible.",
        "It is the third most common form.",
        "It began in the 19th century.",
        "Half of all cases are mild.",
        "It more than doubles the risk.",
    ],
)
def test_a_wrong_number_is_one_that_the_context_does_not_state(claim: str) -> None:
    for seed in SEEDS:
        changed = wrong_number(claim, claim, Random(seed))
        assert changed is not None
        assert changed.text != claim
        assert re.findall(r"\[\d+\]", changed.text) == re.findall(r"\[\d+\]", claim)
        without = [re.sub(r"[\d.,]|(?<=\d)(?:st|nd|rd|th)", "", text) for text in (changed.text, claim)]
        assert without[0] == without[1] or not quantities(claim)


@pytest.mark.parametrize(
    "claim",
    [
        "COVID-19 is caused by SARS-CoV-2 and binds ACE2.",
        "It was shown before [3].",
        "1. Steps matter here and only here",
        "Dates such as 3/4 and 10:30 stay as they are.",
        "The 3-kinase is blocked.",
        "One of them is right.",
    ],
)
def test_digits_of_names_markers_and_times_are_no_numbers(claim: str) -> None:
    assert all(wrong_number(claim, "", Random(seed)) is None for seed in SEEDS)


def test_changed_numbers_make_sense_where_they_stand() -> None:
    for seed in SEEDS:
        share = wrong_number("It holds for 97% of users.", "", Random(seed))
        assert share is not None
        assert 0 < float(re.findall(r"([\d.]+)%", share.text)[0]) <= 100
        date = wrong_number("He came on October 31.", "", Random(seed))
        assert date is not None
        assert 1 < int(re.findall(r"\d+", date.text)[0]) < 29
        low, high = re.findall(r"\d+", wrong_number("It takes 3-5 days.", "", Random(seed)).text)  # type: ignore[union-attr]
        assert int(low) < int(high)
        year = wrong_number("It was built in 1984.", "", Random(seed))
        assert year is not None
        assert 1950 < int(re.findall(r"\d+", year.text)[0]) < 2030


def test_a_number_can_be_taken_from_the_same_passage() -> None:
    context = "Accuracy rose from 71.5% to 85.3%, as 40 users say."
    made = [wrong_number("Accuracy is 85.3%.", context, Random(seed)) for seed in SEEDS]
    assert {change.text for change in made if change and change.form == "confused"} == {"Accuracy is 71.5%."}


@pytest.mark.parametrize(
    ("claim", "pattern"),
    [
        ("It takes 20 seconds.", r"It takes 20 (?:minutes|hours)\."),
        ("It sold 500 million copies.", r"It sold 500 (?:thousand|billion|trillion) copies\."),
        ("It takes five days.", r"It takes five (?:minutes|hours|weeks|months)\."),
        ("A 14-day stay.", r"A 14-(?:minute|hour|week|month) stay\."),
        ("It needs 8 GB of memory.", r"It needs 8 (?:KB|MB|TB) of memory\."),
        ("Latency is 12 ms.", r"Latency is 12 (?:s|min)\."),
        ("They paid $40 each.", r"They paid [€£]40 each\."),
        ("14% of people have it.", r"14 people have it\."),
        ("It fell by 30%.", r"It fell by 30 times\."),
    ],
)
def test_a_wrong_unit_is_of_the_same_kind(claim: str, pattern: str) -> None:
    for seed in SEEDS:
        changed = wrong_unit(claim, claim, Random(seed))
        assert changed is not None
        assert re.fullmatch(pattern, changed.text), changed.text


@pytest.mark.parametrize("claim", ["In the 1950s it was new.", "There were hundreds of them.", "Many days passed."])
def test_decades_and_bare_words_carry_no_unit(claim: str) -> None:
    assert all(wrong_unit(claim, "", Random(seed)) is None for seed in SEEDS)


# --- names ------------------------------------------------------------------------------------------

FILE = [
    "The song was written by Robert Kirkman in Canada, as the FDA said.",
    "It was sung by Grace Kinstler and produced in Sweden; the TP53 gene was named by the EPA.",
    "In Germany it was played by John Milton, and the BRCA1 gene came later.",
]


def test_a_wrong_name_is_of_the_same_kind_and_new_to_the_context() -> None:
    gazetteer = Gazetteer(FILE)
    for seed in SEEDS:
        person = wrong_name("It was written by Robert Kirkman.", FILE[0], "", gazetteer, Random(seed))
        assert person is not None
        assert person.text in ("It was written by Grace Kinstler.", "It was written by John Milton.")
        country = wrong_name("It is made in Canada.", FILE[0], "Why not Sweden?", gazetteer, Random(seed))
        assert country is not None
        assert country.text == "It is made in Germany."
        gene = wrong_name("It depends on TP53.", FILE[1], "", gazetteer, Random(seed))
        assert gene is not None
        assert gene.text == "It depends on BRCA1."


def test_the_article_before_a_new_name_fits() -> None:
    gazetteer = Gazetteer(["It is a Canadian band."])
    changed = wrong_name("They are an American band.", "an American band", "", gazetteer, Random(0))
    assert changed is not None
    assert changed.text == "They are a Canadian band."


@pytest.mark.parametrize("claim", ["High Blood Pressure Doubles Coronavirus Risk", "Nothing is named here.", "VITAMIN"])
def test_headlines_and_plain_sentences_have_no_name_to_change(claim: str) -> None:
    assert wrong_name(claim, "", "", Gazetteer(FILE), Random(0)) is None


def test_names_of_one_virus_are_not_wrong_for_each_other() -> None:
    gazetteer = Gazetteer(["People catch it and spread it, as with COVID-19, SARS-CoV-2 and MERS before."])
    made = {wrong_name("Pets spread COVID-19.", "COVID-19", "", gazetteer, Random(seed)) for seed in SEEDS}
    assert {change.text for change in made if change} == {"Pets spread MERS."}


# --- negation, direction, roles ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("ADAR1 binds to Dicer.", {"ADAR1 does not bind to Dicer."}),
        ("The earth was flat.", {"The earth was not flat."}),
        ("It can help.", {"It cannot help."}),
        ("It may help.", {"It cannot help."}),
        ("He sang the song.", {"He did not sang the song.", "He did not sing the song."}),
        ("Masks prevent the spread.", {"Masks do not prevent the spread."}),
        ("It has a strong effect.", {"It has no strong effect.", "It does not have a strong effect."}),
        ("There is a cure.", {"There is no cure.", "There is not a cure."}),
        ("Every country pays.", {"Not every country pays."}),
        ("It is an effective cure.", {"It is not an effective cure.", "It is an ineffective cure."}),
        ("It has been shown.", {"It has not been shown.", "It has never been shown."}),
        ("It does not increase risk.", {"It increases risk."}),
        ("It cannot work.", {"It can work."}),
        ("It isn't common.", {"It is common."}),
        ("There was no association.", {"There was some association."}),
        ("It works without heat.", {"It works with heat."}),
        ("It never fails.", {"It fails."}),
        ("They failed to win.", {"They won."}),
        ("A tool that is slow wins the race.", {"A tool that is slow does not win the race."}),
    ],
)
def test_polarity_is_turned(claim: str, wrong: set[str]) -> None:
    made = {change.text for seed in SEEDS if (change := wrong_polarity(claim, Random(seed)))}
    assert made
    assert made <= wrong


def test_what_has_no_verb_to_deny_is_left_alone() -> None:
    assert wrong_polarity("Asymptomatic COVID: silent", Random(0)) is None


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("Risk is higher.", "Risk is lower."),
        ("It increases cost.", "It decreases cost."),
        ("High blood pressure harms.", "Low blood pressure harms."),
        ("It came before the war.", "It came after the war."),
    ],
)
def test_direction_is_turned(claim: str, wrong: str) -> None:
    assert {change.text for seed in SEEDS if (change := wrong_direction(claim, Random(seed)))} == {wrong}


@pytest.mark.parametrize("claim", ["He eats apples and more.", "At least two came.", "More or less.", "No way."])
def test_idioms_have_no_opposite(claim: str) -> None:
    assert wrong_direction(claim, Random(0)) is None


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("Masks prevent the spread of COVID-19.", "The spread of COVID-19 prevents masks."),
        ("Activation of PPM1D suppresses p53 function.", "P53 function suppresses activation of PPM1D."),
        ("The rate depends on the temperature.", "The temperature depends on the rate."),
        ("Stress can lead to insomnia.", "Insomnia can lead to stress."),
        ("The fever was caused by the virus.", "The virus was caused by the fever."),
        ("Ships are slower than planes.", "Planes are slower than ships."),
        ("It sorts them from left to right.", "It sorts them from right to left."),
    ],
)
def test_roles_are_swapped(claim: str, wrong: str) -> None:
    names = {"COVID-19", "PPM1D"}
    changed = swapped_roles(claim, names.__contains__, Random(0))
    assert changed is not None
    assert changed.text.lower() == wrong.lower()
    assert changed.text[0].isupper() or changed.text.startswith("p53")


@pytest.mark.parametrize(
    "claim",
    [
        "It causes cancer.",
        "This can lead to loss.",
        "A triad requires the notes C, E, and G.",
        "Evidence suggests the virus has changed.",
        "Cats sleep.",
    ],
)
def test_pronouns_lists_and_clauses_do_not_swap(claim: str) -> None:
    assert swapped_roles(claim, lambda word: False, Random(0)) is None


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from(
                "The 3 is not 50% of causes by than to from Paris [1] , . more no who 1990s £5 ms has and A".split()
            ),
            max_size=14,
        ).map(" ".join),
    ),
    st.integers(0, 5),
)
def test_no_text_breaks_an_edit(claim: str, seed: int) -> None:
    gazetteer = Gazetteer([*FILE, claim])
    for change in (
        wrong_number(claim, FILE[0], Random(seed)),
        wrong_unit(claim, FILE[0], Random(seed)),
        wrong_name(claim, FILE[0], "", gazetteer, Random(seed)),
        wrong_polarity(claim, Random(seed)),
        wrong_direction(claim, Random(seed)),
        swapped_roles(claim, gazetteer.is_name, Random(seed)),
    ):
        assert change is None or (change.form and change.text.count("[1]") >= 0)


# --- passages and foreign sentences -----------------------------------------------------------------


def pool(*items: LabelledItem, seed: int = 0) -> Pool:
    return Pool(items, seed)


APPLES = item("Apples are red.", "Apples are red and grow on trees in the north.", id="a", question="Apples?")
PEARS = item("Pears are green.", "Pears have green skin; some ripen in cold cellars.", id="p", question="Apples?")
STARS = item("Stars are hot.", "Hydrogen burns within every star for a billion years.", id="s", question="Stars?")


def test_a_citation_goes_to_another_passage_on_the_same_question() -> None:
    edit = perturb(APPLES, "citation", pool(APPLES, PEARS, STARS))
    assert edit == Edit("citation", "same_question", APPLES.claim, PEARS.context)


def test_a_passage_that_supports_the_claim_as_well_is_no_wrong_citation() -> None:
    also = item(APPLES.claim, "Red is the colour of an apple, growers say.", id="also", question="Apples?")
    assert perturb(APPLES, "citation", pool(APPLES, also, STARS)) is None
    denied = item(APPLES.claim, "Red is no colour of an apple, growers say.", 0, id="not", question="Apples?")
    found = perturb(APPLES, "citation", pool(APPLES, denied, STARS))
    assert found is not None
    assert found.context == denied.context


def test_nearly_the_same_passage_is_no_other_one() -> None:
    copy = item("Fruit grows.", APPLES.context + " Yes.", id="copy", question="Apples?")
    assert perturb(APPLES, "citation", pool(APPLES, copy)) is None


def test_without_questions_the_group_stands_in_and_without_both_only_a_random_passage() -> None:
    one, two = item("A b c.", "Alpha beta.", group="x"), item("D e f.", "Gamma delta.", group="x")
    found = perturb(one, "citation", pool(one, two))
    assert found is not None
    assert found.form == "same_group"
    bare = [item("A b c.", "Alpha beta."), item("D e f.", "Gamma delta.")]
    assert perturb(bare[0], "citation", Pool(bare)) is None
    random = perturb(bare[0], "citation_random", Pool(bare))
    assert random is not None
    assert random.context == "Gamma delta."


def test_a_lone_item_has_no_other_passage() -> None:
    names = ("citation", "citation_random", "splice", "shuffled")
    assert [perturb(APPLES, name, pool(APPLES)) for name in names] == [None] * 4


def test_a_spliced_sentence_is_foreign_and_the_claim_stays() -> None:
    for seed in SEEDS:
        edit = perturb(APPLES, "splice", pool(APPLES, PEARS, STARS, seed=seed))
        assert edit is not None
        assert edit.context == APPLES.context
        assert "Apples are red" in edit.claim
        assert "ydrogen burns within every star" in edit.claim
        start = {"before": "Hydrogen", "after": "Apples are red. H", "joined": "Apples are red, and h"}[edit.form]
        assert edit.claim.startswith(start)


def test_shuffled_contexts_come_from_other_items() -> None:
    items = [item(f"Claim {n}.", f"Topic{n} fills page{n}.", id=str(n)) for n in range(9)]
    found = [perturb(one, "shuffled", Pool(items)) for one in items]
    assert all(edit is not None and edit.context != one.context for one, edit in zip(items, found, strict=True))
    assert len({edit.context for edit in found if edit}) > 4


def test_empty_takes_all_evidence_away() -> None:
    assert perturb(APPLES, "empty", pool(APPLES)) == Edit("empty", "empty", APPLES.claim, "")


def test_edits_do_not_depend_on_each_other_and_follow_the_seed() -> None:
    items = shared_items("scifact")
    one, again, other = Pool(items), Pool(items), Pool(items, seed=1)
    forward = {(i.id, name): perturb(i, name, one) for i in one.supported() for name in PERTURBATIONS}
    backward = {(i.id, name): perturb(i, name, again) for i in again.supported()[::-1] for name in PERTURBATIONS[::-1]}
    assert forward == backward
    assert forward != {(i.id, name): perturb(i, name, other) for i in other.supported() for name in PERTURBATIONS}
    assert all(edit is None or edit.claim.strip() for edit in forward.values())


@pytest.mark.parametrize("file", ["attrbench", "begin_wow", "expertqa", "healthver", "scifact"])
def test_every_edit_of_the_shared_items_changes_claim_or_passage_but_not_both(file: str) -> None:
    full = Pool(shared_items(file))
    for one in full.supported()[::7]:
        for name in PERTURBATIONS:
            edit = perturb(one, name, full)
            if edit is not None:
                assert edit.name == name
                assert (edit.claim == one.claim) != (edit.context == one.context)


# --- figures ----------------------------------------------------------------------------------------


def pairs(*scores: tuple[float, float], form: str = "f") -> list[Pair]:
    return [
        Pair(item(f"c{n}", id=str(n)), Edit("number", form, "x", "y"), clean, edited)
        for n, (clean, edited) in enumerate(scores)
    ]


def test_figures_of_a_perturbation_by_hand() -> None:
    # Clean .9 and .8 against edited .5 and .85: of four pairs three are in order.
    found = outcome("file", "number", pairs((0.9, 0.5), (0.8, 0.85)), resamples=50)
    assert (found["n"], found["auroc"], found["drop"], found["caught"]) == (2, 0.75, 0.5, 0.5)
    assert (found["target"], found["ok"], found["blind"]) == (TARGETS["number"], None, False)
    assert found["by_form"] == {"f": {"n": 2, "auroc": 0.75, "drop": 0.5}}


@pytest.mark.parametrize(("edited", "reached"), [(0.5, True), (0.95, False)])
def test_a_target_is_held_against_twenty_pairs_and_no_fewer(edited: float, reached: bool) -> None:
    assert outcome("file", "number", pairs(*[(0.9, edited)] * 19), resamples=50)["ok"] is None
    assert outcome("file", "number", pairs(*[(0.9, edited)] * 20), resamples=50)["ok"] is reached


def test_a_perturbation_that_nothing_is_eligible_for_has_no_figure() -> None:
    found = outcome("file", "number", [])
    assert [found[key] for key in ("n", "auroc", "auroc_ci", "drop", "caught", "ok", "blind")] == [
        0, None, None, None, None, None, False,
    ]  # fmt: skip


def test_a_blind_spot_is_named() -> None:
    found = outcome("file", "role_swap", pairs(*[(0.9, 0.9), (0.8, 0.8)] * 10), resamples=50)
    assert found["auroc"] == 0.5 < BLIND
    assert found["blind"]
    others = [outcome("file", "number", pairs((0.9, 0.1)), resamples=50)]
    others += [outcome("file", "unit", pairs((0.9, 0.9)), resamples=50)]  # one pair says nothing
    assert blind_spots([found, *others]) == ["role swap in file (AUROC 0.50, n = 20)"]


def test_a_word_score_sees_foreign_words_and_is_blind_to_order(tmp_path: Path) -> None:
    found = {row["perturbation"]: row for row in perturb_files([SHARED / "scifact.jsonl"], Words, resamples=100)}
    assert found["citation_random"]["auroc"] > 0.95
    assert found["empty"]["auroc"] == 1.0
    assert found["splice"]["auroc"] > 0.85
    assert found["role_swap"]["blind"]
    assert abs(found["role_swap"]["auroc"] - 0.5) < 0.03


def test_a_sample_is_the_same_for_a_seed_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    paths = [SHARED / "scifact.jsonl"]
    some = perturb_files(paths, Words, names=["splice"], limit=5, resamples=20, advance=lambda *at: told.append(at))
    assert some == perturb_files(paths, Words, names=["splice"], limit=5, resamples=20)
    assert some[0]["n"] == 5
    assert told == [(n, 5) for n in range(1, 6)]


# --- the product's own score -------------------------------------------------------------------------

# What the targets hold for: figures on the first thirty supported claims that each edit fits.
SEEN = [
    ("number", "begin_wow"),
    ("entity", "scifact"),
    ("negation", "begin_wow"),
    ("citation_random", "scifact"),
    ("splice", "scifact"),
    ("empty", "scifact"),
    ("shuffled", "scifact"),
]
# Figures of the whole files stand in eval/data/perturbations.json and in every report.
BLIND_SPOTS = [("role_swap", "scifact"), ("citation", "attrbench")]
PAIRS = 30
ENOUGH_APART = 0.95  # for the perturbations that have no target of their own


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    from rag.models.embedder import load_embedder
    from rag.settings import Settings

    return load_embedder(Settings(_env_file=None))


def figure(embedder: Embedder, name: str, file: str) -> float:
    """AUROC of supported claims against the same claims spoilt: the first thirty that the edit fits."""
    items = [one for one in shared_items(file) if file != "attrbench" or len(one.context) < 1500]
    pool = Pool(items)
    grounder = grounder_of(items, remembering_grounders(embedder))
    edits = [(one, edit) for one in pool.supported() if (edit := perturb(one, name, pool)) is not None][:PAIRS]
    made = [
        Pair(
            one,
            edit,
            grounder.text_support(one.claim, [one.context]).score,
            grounder.text_support(edit.claim, [edit.context]).score,
        )
        for one, edit in edits
    ]
    found = outcome(file, name, made, resamples=50)
    assert found["n"] >= 25, found
    assert isinstance(found["auroc"], float)
    return found["auroc"]


@pytest.mark.parametrize(
    ("name", "file"),
    SEEN + [pytest.param(*spot, marks=pytest.mark.xfail(strict=True, reason="a blind spot")) for spot in BLIND_SPOTS],
)
def test_the_score_sees_what_it_is_said_to_see(embedder: Embedder, name: str, file: str) -> None:
    assert figure(embedder, name, file) >= TARGETS.get(name, ENOUGH_APART)


# --- bots --------------------------------------------------------------------------------------------


def test_each_bot_is_told_apart_from_supported_claims_by_its_metric() -> None:
    found = bots_of_items([SHARED / "begin_wow.jsonl"], Words, limit=25, resamples=500)
    assert {row["bot"]: (row["metric"], row["ok"]) for row in found} == {
        "refuse_all": ("over_refusal", True),
        "copy_context": ("context_copied", True),
        "cite_everything": ("citation_precision", True),
        "cite_nothing": ("citation_recall", True),
        "repeat_question": ("beyond_question", True),
    }


def test_bots_take_a_run_s_own_answers_and_leave_refusals_out() -> None:
    full = Pool(shared_items("begin_wow"))
    fitting = full.supported()[:12]
    rows = [real_row(i, full, Words()) for i in fitting]
    refused = rows[0].model_copy(update={"answer": {**(rows[0].answer or {}), "outcome": "refused"}})
    found = bots_of_run([refused, *rows[1:]], Words(), resamples=200)
    assert [row["n"] for row in found] == [11] * 5
    assert all(row["ok"] and row["name"] == "run" for row in found)


def test_a_system_that_is_a_bot_is_not_told_apart_from_it() -> None:
    full = Pool(shared_items("begin_wow"))
    rows = [real_row(i, full, Words()) for i in full.supported()[:6]]
    for bot in BOTS:
        same = [bot.make(row, Words()) for row in rows]
        result = next(r for r in against(same, Words(), resamples=100) if r["bot"] == bot.name)
        assert result["ok"] is not True
        assert result["real"] == result["value"]


def test_without_questions_the_question_cannot_be_repeated() -> None:
    found = bots_of_items([SHARED / "scifact.jsonl"], Words, limit=6, resamples=50)
    repeated = next(row for row in found if row["bot"] == "repeat_question")
    assert (repeated["n"], repeated["real"], repeated["ok"]) == (0, None, None)
