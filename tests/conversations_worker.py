"""A process that works on kept conversations, for tests that kill it or run several at once.

Its tasks: `write FILE OWNER` saves turns without end and says the conversation's id, then each number once the turn
is kept; `some FILE OWNER N` makes a conversation of N turns and says its id.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rag.conversations import ConversationStore, StoredTurn


def main(task: str, file: str, owner: str, count: str = "") -> None:
    """Do one of the tasks above."""
    store = ConversationStore(Path(file))
    conversation_id = store.create(owner, "From a process")
    print(conversation_id, flush=True)
    before: list[str] = []
    for number in itertools.count(1) if task == "write" else range(1, int(count) + 1):
        turn = StoredTurn(number, f"question {number}", f"{number}", "words " * 500)
        store.save_turn(conversation_id, owner, turn, before)
        before.append(turn.asked_at)
        print(number, flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
