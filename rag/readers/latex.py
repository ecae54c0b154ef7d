"""LaTeX in the fields of a record, as the text that it stands for. Formulas stay as they are.

One pass of a regular expression over symbols that pylatexenc knows: a full parse of every field takes
a hundred times as long, and fails on much of what is found in real files.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331", "t": "\u0361",
}  # fmt: skip
FORMATTING = frozenset(
    """emph textbf textit texttt textsc textrm textsf textsl textup textmd textnormal text mbox hbox underline uline
    mathrm mathbf mathit ensuremath bf it em tt sc rm sf sl bfseries itshape ttfamily scshape rmfamily tiny
    scriptsize footnotesize small normalsize large Large LARGE huge Huge protect relax noopsort url path
    textsuperscript textsubscript uppercase lowercase MakeUppercase MakeLowercase xspace noindent par newline item
    left right bibnamedelima bibinitperiod bibinitdelim bibrangedash href""".split()
)
WRITTEN = {"TeX": "TeX", "LaTeX": "LaTeX", "BibTeX": "BibTeX", "i": "i", "j": "j", "ldots": "…", "dots": "…"}

TOKEN = re.compile(
    r"(?P<math>(?<!\\)\$(?:[^$\\]|\\.){1,400}\$|\\\((?:[^\\]|\\(?![()])){1,400}\\\))"
    r"|(?P<dropped>\\(?:[cC]ite[a-z]{0,10}|ref|label|vspace|hspace|href)\*?(?:\[[^\[\]]{0,200}\]){0,2}\{[^{}]{0,500}\})"
    r"|\\(?P<sign>[`'^~=.\"])\s{0,9}(?:\{\s{0,9}\\?(?P<braced>[^\W\d_])\s{0,9}\}|\\?(?P<bare>[^\W\d_]))"
    r"|\\(?P<letter>[urHvdckbt])(?:\s{0,9}\{\s{0,9}\\?(?P<in_braces>[^\W\d_])\s{0,9}\}|\s{1,9}\\?(?P<spaced>[^\W\d_])"
    r"(?![^\W\d_]))"
    r"|\\(?P<word>[a-zA-Z]{1,40})\*?(?P<after>\s{0,9}(?:\{\})?)"
    r"|\\(?P<escaped>[^a-zA-Z])"
    r"|(?P<mark>---|--|``|''|~|[{}])"
)
MARKS = {"---": "—", "--": "–", "``": "“", "''": "”", "~": " ", "{": "", "}": ""}
SPACING = {",": " ", ";": " ", ":": " ", "\\": " ", "\n": " ", " ": " ", "!": "", "/": "", "-": "", "@": ""}


def plain(text: str) -> str:
    """The text that LaTeX stands for, braces and formatting gone, formulas between "$" as they are.

    A command that nobody knows stays as its name.
    """
    if not any(mark in text for mark in ("\\", "{", "}", "~", "--", "``", "''")):
        return text
    return unicodedata.normalize("NFC", TOKEN.sub(_plain, text))


def _plain(found: re.Match[str]) -> str:
    kind = found.lastgroup
    if found["math"]:
        return found["math"]
    if found["mark"]:
        return MARKS[found["mark"]]
    if found["escaped"]:
        return SPACING.get(found["escaped"], found["escaped"])
    if accent := found["sign"] or found["letter"]:
        base = found["braced"] or found["bare"] or found["in_braces"] or found["spaced"]
        return base + ACCENTS[accent]
    return "" if kind == "dropped" else _command(found["word"], found["after"])


def _command(word: str, after: str) -> str:
    if word in FORMATTING:
        return ""
    space = " " if after.isspace() and word not in _symbols() else ""
    return (WRITTEN.get(word) or _symbols().get(word) or word) + space


@cache
def _symbols() -> dict[str, str]:
    """Characters by the name of their command."""
    from pylatexenc.latexencode import get_builtin_uni2latex_dict

    found: dict[str, str] = {}
    for code, latex in get_builtin_uni2latex_dict().items():
        name = re.fullmatch(r"(?:\\ensuremath\{)?\\([a-zA-Z]+)\}?", latex)
        if name and (name[1] not in found or len(latex) <= len(name[1]) + 1):
            found[name[1]] = chr(code)
    return found
