"""Formulas are drawn where they are formulas; money, markup and what is not balanced show as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ui_helpers import MATH_ATTRIBUTES, MATH_TAGS, Reading

from rag.papers import Paper
from ui.escape import escaped
from ui.math_html import LONGEST, math_or_text, title_with_math

FRAGMENTS = [
    *"$$\\(\\)|{}[]^_&<>\"'` \n57,.aβx",
    *"\\frac \\text{ \\mathrm{ \\sqrt \\left( \\right) \\begin{matrix} \\end{matrix} \\\\ \\href{ \\class{".split(),
    *"\\newcommand \\def \\phantom \\color{red} \\hspace{ 99em \\rule \\% \\$ \\unicode{ \\alpha".split(),
    *"$x$ $$y$$ US$ &#x3c; <b> </math>".split(),
    " and then ",
    "<script>",
]
MESSY = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf"]) | st.sampled_from("$\\{}^_()")
)


@given(MESSY)
def test_every_text_reads_back_and_only_known_elements_come_out(text: str) -> None:
    html = math_or_text(text)
    reading = Reading(html)
    assert reading.text == text
    assert {tag for tag, _ in reading.tags} <= MATH_TAGS
    assert all(set(attributes) <= MATH_ATTRIBUTES for _, attributes in reading.tags)
    assert not set("{}$`\\") & set(html), "nothing that a template or another renderer would read"


@given(MESSY)
def test_a_formula_stands_inside_its_dollars_whatever_is_around_it(text: str) -> None:
    around = text.replace("$", "").replace("\\", "").rstrip()
    assert Reading(math_or_text(f"{around} $x^2$")).tags[0][1]["data-source"] == "$x^2$"


@pytest.mark.parametrize(
    "text",
    [
        "last <EOS> token, <3% | **bold** `code` ${1+1}, {{title}}, C:\\n",
        "It costs $5 and $10.",
        "It costs $5, or $10 | **more**.",
        "from US$5 to US$10$",
        "$6.99 per month or $9",
        "earned $AU355 million to $AU1.9 billion",
        "($92.8 million), Durant ($87.9 million), and Giannis ($80 million)",
        "$24,811 versus $40,648",
        "$58k during 1990-1993 and US$16k",
        "$700-$800",
        "a prize of $185,000$ a year",
        "$1.5B$",
        "|$936,662,225||$868,390,560||44|",
        "restaurants of $$ and $$$",
        "$HOME/bin:$PATH",
        "$PATH$",
        "an $ alone, $ x $ with room",
        "$x^2 without an end",
        "$x\n\ny$ in two paragraphs",
        "$x}{y$ and ${x$",
        "${x$",
        "\\$x\\$",
        "{\\em approximately} \\& \\etc",
        "$a this is prose and not a formula b$",
        f"${'x+' * LONGEST}x$",
    ],
)
def test_what_is_no_formula_shows_as_it_is(text: str) -> None:
    assert math_or_text(text) == escaped(text)


@pytest.mark.parametrize(
    "formula",
    [
        "\\nosuchcommand",
        "\\frac{1}",
        "a^b^c",
        "\\left( x",
        "\\href{javascript:alert(1)}{x}",
        "\\class{evil}{x}",
        "\\style{color:red}{x}",
        "\\color{red}{x}",
        "\\rule{100em}{100em}",
        "\\hspace{1000em}x",
        "\\phantom{hidden}",
        "\\newcommand{\\a}{xx}\\a\\a",
        "\\def\\a{x}\\a",
        "{" * 40 + "x" + "}" * 40,
    ],
)
def test_what_cannot_be_drawn_or_would_do_more_than_draw_shows_as_it_is(formula: str) -> None:
    assert math_or_text(f"a ${formula}$ b") == escaped(f"a ${formula}$ b")


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("$x^2$", "<msup><mi>x</mi><mn>2</mn></msup>"),
        ("F$_1$ score", "<mn>1</mn></msub>"),
        ("2$\\times$ faster", '<mo lspace="0em" rspace="0em">×</mo>'),
        ("$\\sim$10 more", "<mi>~</mi>"),
        ("top-$k$ and the $n$th", "<mi>n</mi>"),
        ("$99\\%$", "<mn>99</mn><mi>%</mi>"),
        ("$O(n\\log n)$", '<mi>n</mi><mspace width=".167em"></mspace><mi>log</mi>'),
        ("$\\mathcal{L}_\\log$", "<mi>log</mi></msub>"),
        ("\\(\\frac{a}{b}\\)", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        ("$$x=1$$", 'display="block"'),
        ("$\\text{a <b> c}$", "<mtext>a\N{NO-BREAK SPACE}&lt;b&gt;\N{NO-BREAK SPACE}c</mtext>"),
        ("$\\operatorname*{argmax}_x f$", "<mo>argmax</mo>"),
        ("cost $5, gains $3\\times$", "<mn>3</mn><mo>×</mo>"),
    ],
)
def test_formulas_are_drawn(text: str, drawn: str) -> None:
    html = math_or_text(text)
    assert drawn in html
    assert Reading(html).text == text


def test_a_title_has_its_formulas_drawn_and_stays_on_one_line() -> None:
    paper = Paper("p", "On $\\ell_2$\nNorms <b>", "")
    html = title_with_math(paper)
    assert Reading(html).text == "On $\\ell_2$ Norms <b>"
    assert "<msub>" in html
