"""Coverage-guided fuzzing of the readers: `python tests/fuzz_atheris.py FORMAT SECONDS`, run by `make test-faults`.

A finding ends the process with a status that is not 0 and shows the input; else the last line is "Done N runs in ...".
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["rag.readers", "rag.papers"]):
    from faults.documents import DOCUMENTS
    from faults.formats import RECORDS
    from faults.reading import SECONDS, read

LONGEST = 20_000  # bytes of an input
FILES = {form.name: (form.file, form.sample()) for form in RECORDS} | DOCUMENTS


def main(name: str, seconds: str) -> None:
    """Fuzz one format for so many seconds, beginning with its sample."""
    file, sample = FILES[name]
    with tempfile.TemporaryDirectory() as corpus:
        Path(corpus, "sample").write_bytes(sample)
        limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-timeout={int(2 * SECONDS)}"]
        options = [*limits, "-rss_limit_mb=2048", f"-artifact_prefix={corpus}/"]
        atheris.Setup([sys.argv[0], *options, corpus], lambda data: read(data, file))
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
