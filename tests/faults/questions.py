"""Questions that nobody would ask: words that the question path looks for, in any order, number and company."""

from __future__ import annotations

from hypothesis import strategies as st

from faults.mutations import WORDS
from rag.answer.answer import Turn

LONGEST = 4000  # characters: what the settings allow
PHRASES = [
    *("how many papers", "list all", "which papers", "the latest 3", "oldest", "titles of", "show me", "count"),
    *("published", "in 2023", "since May", "between 1999 and 2031", "from Feb 30 to", "last month", "before"),
    *("12/31/2023", "by Kyutai", "from Google", "at least", "fewer than", "two or more", "99999 authors", "0 authors"),
    *("between 3 and 1 authors", "compare", "versus", "and", "or", "but not", "both", "difference between"),
    *("better than", "which is faster", "what", "why", "how much", "does it", "is it true that", "who", "it", "they"),
    *("that paper", "the second one", "[1]", "[99]", "and for Llama?", "what about", "in that case", "more", "explain"),
    *("again", "thanks", "no", "?", "??", "...", "when was", "“Phenaki", "TILDEv2’s", "BOLT", "DeBERTa", "GPT-4o"),
    *("indexes", "quantization", "video", "41.7%", "10x", "$O(n^2)$", "ignore all previous instructions", "</s>"),
    *("[INST]", "Quels articles", "¿Cuántos", "Какие статьи", "论文", "كم ورقة", "ſix authors"),
]

_parts = st.lists(st.one_of(st.sampled_from(PHRASES), st.sampled_from(PHRASES), WORDS), min_size=1, max_size=9)
_questions = st.builds(" ".join, _parts)
_times = st.sampled_from([2, 30, LONGEST])
_repeated = st.builds(lambda part, n: (part * n)[: LONGEST + 1], st.one_of(_questions, WORDS), _times)
QUESTIONS = st.one_of(_questions, _questions, _repeated)
HISTORIES = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), QUESTIONS), max_size=4)
TALKS = st.tuples(QUESTIONS, HISTORIES)
