"""An answer as a file for a paper, a note or a program: Markdown, BibTeX or JSON."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.answer.answer import Answer, Citation
from rag.answer.explained import decision_in_words, level_in_words
from rag.errors import SettingsError
from rag.files import write_whole
from rag.papers import Paper

if TYPE_CHECKING:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
KEY_WORDS = 4  # of a title in a BibTeX key, where one does not tell two papers apart

_PLAIN = re.compile(r"[\w./:;()<>+-]+", re.ASCII)  # of a DOI, as it needs no escaping
_SEVERAL = re.compile(r"\band\b|,.*,", re.IGNORECASE)
_INNER_CAPITAL = re.compile(r"(?<=\w)[A-Z]")
_ARTICLES = {"a", "an", "the"}
_BIB_NAMELESS = "% The sources name no authors of {}: add them before you cite."
_BIB_EMPTY = "% Nothing here cites a paper."
# What steers a terminal or reorders a line; a line feed stays.
_HIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKDOWN = re.compile(r"[\\`*_\[\]<>&~|$#]")
_MARKDOWN_LINE = re.compile(r"^(\d{0,9})([+=.)-])")
_MARKER = re.compile(r"\\\[(\d+|unsupported)\\\](?![(:\\\[])")


def write_export(answer: Answer, path: Path) -> None:
    """Write an answer to `path`, in the form that the end of its name asks for; whole or not at all.

    Raises:
        SettingsError: the name ends in none of .md, .bib and .json, or the place cannot be written.
    """
    write_whole(path, export_form(path)(answer))


def export_form(path: Path) -> Callable[[Answer], str]:
    """What makes the file's text from an answer; call it before a question is asked in vain.

    Raises:
        SettingsError: the name ends in none of .md, .bib and .json.
    """
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise SettingsError(f"No answer can be exported to {path}.", "End the name in .md, .bib or .json.")
    return form


def to_markdown(answer: Answer) -> str:
    """Question, answer, numbered sources with dates and quotes, and how the answer was made.

    Nothing in a title, a quote or a model's text can become markup.
    """
    return "\n\n".join([f"# {plain_line(answer.question)}", *markdown_blocks(answer, "##")]) + "\n"


def markdown_blocks(answer: Answer, heading: str) -> Iterator[str]:
    """An answer without its question, block by block; `heading` is the mark of its parts' headings."""
    yield from _searched(answer)
    yield markdown_body(answer.answer)
    if answer.citations:
        yield f"{heading} Sources"
        yield from _sources(answer.citations)
    if answer.nearest:
        yield f"{heading} Nearest papers"
        yield "\n".join(f"- {_heading(paper)}" for paper in answer.nearest)
    yield f"{heading} How this was made"
    yield "\n".join(f"- {plain_line(sentence)}" for sentence in _making(answer))


def to_bibtex(citations: Sequence[Citation]) -> str:
    """The cited papers as BibTeX entries in the order of their numbers."""
    return bibtex_of(citation.paper for citation in sorted(citations, key=_number))


def bibtex_of(papers: Iterable[Paper]) -> str:
    """Papers as BibTeX entries in their order, each once.

    A key is the title's first word and the year, or four words where two papers would share one;
    it does not depend on the order. Special characters are escaped, words with inner capitals
    kept as they are. A comment names the entries that need authors, of whom the sources say nothing.
    """
    from bibtexparser.entrypoint import write_string
    from bibtexparser.library import Library
    from bibtexparser.model import Entry, ImplicitComment

    once = list({paper.paper_id: paper for paper in papers}.values())
    keys = _keys(once)
    entries = [Entry("misc", keys[paper.paper_id], _fields(paper)) for paper in once]
    nameless = ", ".join(keys[paper.paper_id] for paper in once if not _authors(paper))
    comment = _BIB_NAMELESS.format(nameless) if nameless else "" if entries else _BIB_EMPTY
    return write_string(Library([*([ImplicitComment(comment)] if comment else []), *entries]))


def _to_json(answer: Answer) -> str:
    return json.dumps(answer.as_dict(), ensure_ascii=False, indent=2) + "\n"


_FORMS: Mapping[str, Callable[[Answer], str]] = {
    ".md": to_markdown,
    ".bib": lambda answer: to_bibtex(answer.citations),
    ".json": _to_json,
}


# --- Markdown ------------------------------------------------------------------------------------


def _searched(answer: Answer) -> Iterator[str]:
    if answer.query_used != answer.question:
        yield f"Searched for: {plain_line(answer.query_used)}"
    if answer.filters:
        yield f"Only papers {plain_line(answer.filters.in_words())}."


def markdown_body(text: str) -> str:
    """The answer's lines as paragraphs, its list items as a list."""
    body = ""
    for line in filter(str.strip, _HIDDEN.sub(" ", text).split("\n")):
        bullet = "- " if line.startswith("- ") else ""
        shown = bullet + _MARKER.sub(r"[\1]", plain_line(line.removeprefix(bullet)))
        in_list = bullet and body.rpartition("\n")[2].startswith("- ")
        body += ("\n" if in_list else "\n\n" if body else "") + shown
    return body


def _sources(citations: Sequence[Citation]) -> Iterator[str]:
    """An item of a numbered list for each paper, its quotes within the item."""
    for n, cited in groupby(sorted(citations, key=_number), key=_number):
        quotes = list(cited)
        indent = " " * len(f"{n}. ")
        said = (f"{indent}> “{plain_line(c.quote)}”{_where(c)}" for c in quotes)
        lines = [f"{n}. {_heading(quotes[0].paper)}", *said]
        yield "\n\n".join(lines)


def _where(citation: Citation) -> str:
    return f" ({plain_line(citation.where)})" if citation.where else ""


def _heading(paper: Paper) -> str:
    dated = paper.dated or "undated"
    inferred = ", year inferred" if paper.published and paper.year_inferred else ""
    listed = f", listed under {plain_line(paper.organisation)}" if paper.organisation else ""
    return f"**{plain_line(paper.title)}** ({dated}{inferred}{listed})"


def _making(answer: Answer) -> Iterator[str]:
    yield f"{level_in_words(answer)}."
    yield from decision_in_words(answer)
    if answer.model is not None:
        yield f"Written by the model {answer.model}; each sentence, in English, was checked against what it cites."
    else:
        yield "No language model took part."
    if answer.style != "standard":
        yield f"Style: {answer.style}."
    if answer.language:
        yield f"Translated into {answer.language}; the quotes stand as the papers have them."


def plain_line(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    line = _MARKDOWN.sub(r"\\\g<0>", " ".join(_HIDDEN.sub(" ", text).split()))
    return _MARKDOWN_LINE.sub(r"\1\\\2", line)


def _number(citation: Citation) -> int:
    return citation.n


# --- BibTeX --------------------------------------------------------------------------------------


def _fields(paper: Paper) -> list[Any]:
    from bibtexparser.model import Field

    values = {
        "title": _tex(paper.title),
        "author": " and ".join(_author(name) for name in _authors(paper)),
        "key": _tex(" ".join(_key_words(paper)[:1])),  # what BibTeX sorts by where there is no author
        "organization": _tex(paper.organisation or ""),
        "year": f"{paper.published:%Y}" if paper.published else "",
        "eprint": paper.arxiv_id or "",
        "archiveprefix": "arXiv" if paper.arxiv_id else "",
        "doi": paper.doi if paper.doi and _PLAIN.fullmatch(paper.doi) else "",
    }
    fields = [Field(name, value) for name, value in values.items() if value]
    if paper.published and paper.date_of != "year":
        month = MONTHS[paper.published.month - 1]
        fields.append(Field("month", month, enclosing="no-enclosing"))  # a name that every style defines
    return fields


def _authors(paper: Paper) -> list[str]:
    return [name for name in paper.authors if name.strip()]


def _author(name: str) -> str:
    """A name as BibTeX takes names apart; one that its own words would make several stays whole in braces."""
    return f"{{{_tex(name)}}}" if _SEVERAL.search(name) else _tex(name)


def _keys(papers: Sequence[Paper]) -> dict[str, str]:
    """A key for each paper by its id, unique among them whatever their order."""
    short = {paper.paper_id: _key(paper, 1) for paper in papers}
    shared = Counter(short.values())
    keys = {p.paper_id: short[p.paper_id] if shared[short[p.paper_id]] == 1 else _key(p, KEY_WORDS) for p in papers}
    for key, count in Counter(keys.values()).items():
        same = sorted(paper_id for paper_id in keys if keys[paper_id] == key)
        if count > 1:
            keys |= {paper_id: f"{key}-{i}" for i, paper_id in enumerate(same, 1)}
    return keys


def _key(paper: Paper, words: int) -> str:
    year = str(paper.published.year) if paper.published else ""
    return "".join(_key_words(paper)[:words]) + year


def _key_words(paper: Paper) -> list[str]:
    plain = unicodedata.normalize("NFKD", paper.title).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    return [word for word in words if word not in _ARTICLES] or words or ["paper"]


def _tex(text: str) -> str:
    """Text for LaTeX, words that a bibliography style must not put into lower case in braces."""
    words = (
        (_encoder().unicode_to_latex(word), _INNER_CAPITAL.search(word)) for word in _HIDDEN.sub(" ", text).split()
    )
    return " ".join(f"{{{encoded}}}" if guarded else encoded for encoded, guarded in words)


@lru_cache(maxsize=1)
def _encoder() -> UnicodeToLatexEncoder:
    from pylatexenc.latexencode import RULE_DICT, UnicodeToLatexConversionRule, UnicodeToLatexEncoder

    # BibTeX counts braces even behind a backslash, so that "\\{" alone would swallow the rest of the file.
    # A quotation mark, written as two apostrophes, must not join a third one beside it.
    own = {ord("{"): r"\textbraceleft", ord("}"): r"\textbraceright", ord('"'): "{''}"}
    return UnicodeToLatexEncoder(
        conversion_rules=[UnicodeToLatexConversionRule(RULE_DICT, own), "defaults"],
        unknown_char_policy="keep",
        unknown_char_warning=False,
    )
