"""A question that is limited to some papers, whatever it says itself: to a selection, or to a period."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.answer import Turn
from rag.answer.draft import Draft, refusal
from rag.answer.followup import NO_MORE_THAN
from rag.library.library import Library
from rag.papers import Filters

NO_SCOPE = Filters()


def leading_up_to(history: Sequence[Turn], within: Filters, library: Library) -> Sequence[Turn]:
    """The history of a question about one, two or three chosen papers, so that "it" and "they" mean those.

    It is as if the conversation had begun with a question that these papers answered.
    """
    chosen = within.paper_ids or ()
    papers = library.papers(chosen) if len(chosen) <= NO_MORE_THAN else {}
    titles = [f"“{papers[paper_id].title}”" for paper_id in dict.fromkeys(chosen) if paper_id in papers]
    if not titles:
        return history
    listed = "\n".join(f"- {title} [{n}]" for n, title in enumerate(titles, 1))
    return (Turn("user", f"What is {' and '.join(titles)} about?"), Turn("assistant", listed), *history)


def nothing_in(within: Filters, filters: Filters, library: Library) -> Draft | None:
    """A refusal where no paper of the library passes `filters`, which are the question's narrowed by `within`."""
    if not within or library.count(filters):
        return None
    if library.count(within):
        return refusal(f"The question is limited to {_named(within)}, and none of them passes its own filters.")
    if within.paper_ids is not None and not library.papers(within.paper_ids):
        return refusal(f"The question is limited to {_named(within)}, and the library has none of them any more.")
    return refusal(f"The question is limited to {_named(within)}, and the library has no such paper.")


def _named(within: Filters) -> str:
    """The scope as the object of a sentence: "2 chosen papers", "papers published since 2020"."""
    if within == Filters(paper_ids=within.paper_ids):
        return within.in_words().removeprefix("among ")
    return f"papers {within.in_words()}"
