"""A process that works on a library, for tests that kill it or run beside it.

Its tasks: `ingest FOLDER PATH...` says "stored N" after each batch; `hold FOLDER` takes the write lock,
says "holding" and waits; `query FOLDER` answers each line of stdin with the ids that both searches find.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from library_helpers import HashEmbedder

from rag.ingest import ingest, library_fingerprint
from rag.library.library import Library


def main(task: str, folder: str, *paths: str) -> None:
    """Do one of the tasks above."""
    embedder = HashEmbedder()
    library = Library.open(Path(folder), library_fingerprint(embedder))
    print("open", flush=True)
    if task == "ingest":
        ingest([Path(path) for path in paths], library, embedder, progress=lambda n, _: print("stored", n, flush=True))
        print("done", flush=True)
    elif task == "hold":
        with library.write():
            print("holding", flush=True)
            time.sleep(60)
    else:
        for line in sys.stdin:
            words = library.match_words(line, 5)
            near = library.nearest_vectors(embedder.encode([line])[0].vector, 5)
            print(json.dumps([[hit.paper_id for hit in hits] for hits in (words, near)]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
