"""One small valid document of every format with a full text, made without the libraries that read them."""

from __future__ import annotations

import html
import io
import json
import zipfile

from faults.formats import ABSTRACT_A, TITLE_A

SECTIONS = {
    "1 Introduction": "Rankers are slow. Ours is quick, and needs no more than 3 ms for a question of ten words.",
    "2 Results": "It reaches 41.7 nDCG@10. Without distillation it reaches 38.2, as Table 1 shows for all sets.",
}


def markdown() -> bytes:
    """Front matter, title, abstract and sections."""
    parts = [
        f"---\ntitle: {TITLE_A}\ndate: 2023-08-30\nauthor: Ada Lovelace\n---\n",
        f"# {TITLE_A}\n",
        f"## Abstract\n\n{ABSTRACT_A}\n",
    ]
    parts += [
        f"## {head}\n\n{text}\n\n- a *point* with `code`\n- [a link](https://example.org)\n"
        for head, text in SECTIONS.items()
    ]
    return "\n".join(parts).encode()


def plain() -> bytes:
    """A title, and paragraphs of prose."""
    body = "\n\n".join(f"{head}\n\n{text} {text}" for head, text in SECTIONS.items())
    return f"{TITLE_A}\n\nAbstract\n\n{ABSTRACT_A}\n\n{body}\n".encode()


def web_page() -> bytes:
    """An article in HTML."""
    body = "".join(f"<h2>{head}</h2><p>{text}</p><p>{text[::-1].capitalize()}.</p>" for head, text in SECTIONS.items())
    return (
        f"<!DOCTYPE html><html><head><title>{TITLE_A}</title><meta name='citation_date' content='2023/08/30'></head>"
        f"<body><nav>Home</nav><article><h1>{TITLE_A}</h1><h2>Abstract</h2><p>{ABSTRACT_A}</p>{body}</article>"
        "<script>alert(1)</script></body></html>"
    ).encode()


def daily_page() -> bytes:
    """A Daily Papers page saved as HTML, with its data in it."""
    paper = {
        "id": "2308.01234",
        "title": TITLE_A,
        "summary": ABSTRACT_A,
        "upvotes": 7,
        "publishedAt": "2023-08-30T00:00:00.000Z",
    }
    data = html.escape(json.dumps({"dailyPapers": [{"paper": paper, "title": TITLE_A, "numComments": 1}]}), quote=True)
    return (
        "<!doctype html><html><head><title>Daily Papers - Hugging Face</title></head><body>"
        f'<div class="SVELTE_HYDRATER contents" data-target="DailyPapers" data-props="{data}">'
        f'<article><h3><a href="/papers/2308.01234">{TITLE_A}</a></h3></article></div></body></html>'
    ).encode()


def word() -> bytes:
    """The least that a Word file is made of."""
    space = "http://schemas.openxmlformats.org"
    package, office = f"{space}/package/2006", f"{space}/officeDocument/2006/relationships"
    main, kind = f"{space}/wordprocessingml/2006/main", "application/vnd.openxmlformats-officedocument.wordprocessingml"
    part = f'<Override PartName="/word/{{0}}.xml" ContentType="{kind}.{{1}}+xml"/>'
    relation = '<Relationships xmlns="{0}"><Relationship Id="rId1" Type="{1}" Target="{2}"/></Relationships>'
    style = '<w:style w:type="paragraph" w:styleId="{0}"><w:name w:val="{1}"/></w:style>'
    types = (
        f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{part.format('document', 'document.main')}{part.format('styles', 'styles')}</Types>"
    )
    styles = style.format("Title", "Title") + style.format("Heading1", "heading 1")
    lines = [(TITLE_A, "Title"), ("Abstract", "Heading1"), (ABSTRACT_A, "")]
    lines += [line for head, text in SECTIONS.items() for line in ((head, "Heading1"), (text, ""))]
    paragraphs = "".join(_paragraph(html.escape(text), style) for text, style in lines)
    table = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>41.7</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    members = {
        "[Content_Types].xml": types,
        "_rels/.rels": relation.format(f"{package}/relationships", f"{office}/officeDocument", "word/document.xml"),
        "word/_rels/document.xml.rels": relation.format(f"{package}/relationships", f"{office}/styles", "styles.xml"),
        "word/styles.xml": f'<w:styles xmlns:w="{main}">{styles}</w:styles>',
        "word/document.xml": f'<w:document xmlns:w="{main}"><w:body>{paragraphs}{table}</w:body></w:document>',
    }
    return zipped({name: text.encode() for name, text in members.items()})


def _paragraph(text: str, style: str) -> str:
    styled = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{styled}<w:r><w:t>{text}</w:t></w:r></w:p>"


def zipped(members: dict[str, bytes]) -> bytes:
    """A ZIP archive of these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    """The members of a ZIP archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pdf() -> bytes:
    """Two pages of uncompressed text."""
    first = [(18, TITLE_A), (10, "Ada Lovelace"), (12, "Abstract"), (10, ABSTRACT_A)]
    heads = [
        [(12, head), *((10, text[at : at + 60]) for at in range(0, len(text), 60))] for head, text in SECTIONS.items()
    ]
    pages = [_content([*first, *heads[0]]), _content(heads[1])]
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R 6 0 R] /Count 2 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, content in enumerate(pages):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (5 + 2 * at)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    objects.append(b"<< /Title (%s) /CreationDate (D:20230830000000Z) >>" % TITLE_A.encode())
    return _pdf_file(objects)


def _content(lines: list[tuple[int, str]]) -> bytes:
    shown, height = [], 740
    for size, text in lines:
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        shown.append(f"BT /F1 {size} Tf 72 {height} Td ({escaped}) Tj ET")
        height -= 24
    return "\n".join(shown).encode()


def _pdf_file(objects: list[bytes]) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        size,
        len(objects),
        len(out),
    )
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


DOCUMENTS = {
    "Markdown": ("paper.md", markdown()),
    "plain text": ("paper.txt", plain()),
    "HTML": ("paper.html", web_page()),
    "saved Daily Papers page": ("daily.html", daily_page()),
    "DOCX": ("paper.docx", word()),
    "PDF": ("paper.pdf", pdf()),
}
