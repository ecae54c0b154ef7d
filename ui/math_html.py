"""Formulas in text as MathML, where they are balanced and no money; everything else shows as it is."""

from __future__ import annotations

import re
from functools import lru_cache
from xml.etree.ElementTree import Element

from latex2mathml.converter import Converter

from rag.papers import Paper
from ui.escape import MAX_TITLE, escaped, shortened

LONGEST = 300  # characters of a formula; what is longer is not one, or would take a column of its own
DEEPEST = 12  # braces within braces, where the converter calls itself
THIN = ".167em"
_STARRED = ("\\operatorname*", "\\operatorname")  # the converter draws the star

# No space inside the dollars. Where a letter or a digit stands before (US$5) or a digit after (-$10), only what
# cannot be an amount is a formula: F$_1$, 2$\times$, $\sim$10.
_FORMULA = re.compile(
    rf"(?<![$\\])\$\$(?!\$)(?P<block>[^$]{{1,{LONGEST}}})\$\$(?!\$)"
    rf"|(?:(?<![\w$\\])|(?<=\w)(?=\$[\\_^]))\$(?!\s)(?P<inline>[^$]{{1,{LONGEST}}})(?<![\s\\])\$(?!\$)"
    rf"|\\\((?P<round>.{{1,{LONGEST}}}?)\\\)",
    re.DOTALL,
)
_NAMED = re.compile(r"\\(?:text\w*|math\w+|operatorname\*?)\s*\{[^{}]*\}|\\[A-Za-z]+")
_PROSE = re.compile(r"[^\W\d_]{2,}[,.;:]?\s+[^\W\d_]{2,}|^\s*\d.*\s[^\W\d_]{3,}|\n\s*\n", re.DOTALL)
_WORDS = re.compile(r"[^\\^_={}]*[^\W\d_]{4}[^\\^_={}]*")  # paths, names of variables
_AMOUNT = re.compile(r"\s*[\d.,]*,\d{3}[\d.,]*\s*|\s*\d[\d.,]*\s*(?:[kKmMbB]|[mb]n)\s*")
_TELLS = re.compile(r"[\\^_=+*/<>\d-]|^\s*\w\s*$")  # of a displayed formula; restaurants are $$ or $$$
_DEFINES = re.compile(r"\\(?:(?:new|renew|provide)command|def|let|DeclareMathOperator)(?![A-Za-z])")
_REFERENCE = re.compile(r"&#x([0-9A-Fa-f]{1,6});")

_TAGS = frozenset(
    "math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover "
    "mtable mtr mtd mstyle mpadded".split()
)
_PARTS = dict.fromkeys("mfrac mroot msub msup munder mover".split(), 2) | {"msubsup": 3, "munderover": 3}
_WORD = re.compile(r"[a-z-]{1,20}(?: [a-z-]{1,20}){0,8}|[01]")
_LENGTH = re.compile(r"[+-]?(?:\d|\d?\.\d{1,4})(?:em|ex|mu)?")  # under ten: nothing leaves its line
_WORDED = "display mathvariant stretchy fence separator form accent accentunder movablelimits displaystyle scriptlevel"
_MEASURED = "width height depth lspace rspace voffset minsize maxsize linethickness"
_ATTRIBUTES = dict.fromkeys([*_WORDED.split(), "columnalign", "rowalign"], _WORD) | dict.fromkeys(
    _MEASURED.split(), _LENGTH
)


def math_or_text(text: str) -> str:
    """`text` as HTML that shows exactly it, with `$…$`, `$$…$$` and `\\(…\\)` drawn as formulas.

    What is not balanced, is money, or is unknown to the converter stays as it is. A formula carries
    its source as `data-source`. For elements only, never for an attribute.
    """
    if "$" not in text and "\\(" not in text:
        return escaped(text)
    parts, done, at = [], 0, 0
    while found := _FORMULA.search(text, at):
        tex, amounts = found[str(found.lastgroup)], found[0][0] == "$" and text[found.end() : found.end() + 1].isdigit()
        drawn = None if amounts and "\\" not in tex else _formula(found[0], tex, found.lastgroup == "block")
        at = found.end() if drawn else found.start() + 1
        if drawn:
            parts += [escaped(text[done : found.start()]), drawn]
            done = found.end()
    return "".join([*parts, escaped(text[done:])])


def title_with_math(paper: Paper) -> str:
    """A paper's title on one line, its formulas drawn; for elements only."""
    return math_or_text(shortened(paper.title, MAX_TITLE))


@lru_cache(maxsize=4096)  # a page is drawn again for every few words of an answer
def _formula(source: str, tex: str, block: bool) -> str | None:
    """The formula as MathML, or None where it is better shown as it is written."""
    if not _is_math(tex) or (source.startswith("$$") and not _TELLS.search(tex)):
        return None
    try:
        root = Converter(display="block" if block else "inline").convert_to_element(tex.replace(*_STARRED))
    except Exception:  # noqa: BLE001 - the converter has a type for each mistake, and some are plain IndexErrors
        return None
    root.attrib.pop("xmlns", None)  # HTML knows it by the element's name
    _space(root)
    drawn = _drawn(root)
    return drawn and drawn.replace("<math", f'<math data-source="{escaped(source)}"', 1)


def _space(element: Element) -> None:
    """Room as TeX leaves it: around the name of a function (n log n), none around an operator alone (2×)."""
    for at, child in reversed(list(enumerate(element))):
        _space(child)
        is_free = element.tag in ("math", "mrow", "mtd")  # others have a place for each child
        if is_free and child.tag == "mi" and len(child.text or "") > 1 and (child.text or "").isalpha():
            follows, before = element[at + 1 : at + 2], element[at - 1 : at] if at else []
            if follows and follows[0].text != "&#x00028;":
                element.insert(at + 1, Element("mspace", width=THIN))
            if before and before[0].tag != "mo":
                element.insert(at, Element("mspace", width=THIN))
    if element.tag == "mrow" and [child.tag for child in element] == ["mo"]:
        element[0].attrib.update(lspace="0em", rspace="0em")


def _is_math(tex: str) -> bool:
    """Whether it is worth a try: braces pair up, nothing is defined, and it is neither prose nor an amount."""
    depth, deepest = 0, 0
    for brace in re.findall(r"\\.|([{}])", tex, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        deepest = max(deepest, depth)
        if depth < 0:
            return False
    bare = _NAMED.sub("", tex)
    known = depth == 0 and deepest <= DEEPEST and not _DEFINES.search(tex)
    is_text = _PROSE.search(bare) or _WORDS.fullmatch(tex) or _AMOUNT.fullmatch(tex)
    return known and bool(tex.strip()) and not is_text


def _drawn(element: Element) -> str | None:
    """The element with only our tags and attributes, its text escaped; None where anything else is in it."""
    attributes = [(name, value.strip()) for name, value in element.attrib.items()]
    text = _REFERENCE.sub(lambda code: chr(min(int(code[1], 16), 0x10FFFF)), element.text or "")
    whole = len(element) == _PARTS.get(element.tag, len(element))
    known = whole and all(name in _ATTRIBUTES and _ATTRIBUTES[name].fullmatch(value) for name, value in attributes)
    # A backslash left over is a command that the converter does not know.
    if element.tag not in _TAGS or not known or "\\" in text or (element.tail or "").strip():
        return None
    children = [_drawn(child) for child in element]
    if None in children:
        return None
    shown = "".join(f' {name}="{escaped(value)}"' for name, value in attributes)
    inner = escaped(text) + "".join(child for child in children if child is not None)
    return f"<{element.tag}{shown}>{inner}</{element.tag}>"
