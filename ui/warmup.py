"""The models and the library are opened behind the page, so that it is up at once."""

from __future__ import annotations

import logging
import threading

from rag.answer.pipeline import Paperchat
from rag.errors import PaperchatError
from ui.examples import example_questions

log = logging.getLogger(__name__)


class Warmup:
    """One throw-away search in a thread; `problem` says why it failed, if it did."""

    def __init__(self, engine: Paperchat) -> None:
        self._engine = engine
        self._thread = threading.Thread(target=self._run, name="paperchat-warm-up", daemon=True)
        self._done = threading.Event()
        self.problem = ""
        self.examples: list[str] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def again(self) -> None:
        """Try once more where it failed: papers may have been added since. Blocks while it does."""
        if self.done() and self.problem:
            self._run()

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._done.is_set()

    def wait(self, seconds: float) -> None:
        """Until it has ended, or for so long."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._engine.retrieve("warm up", k=1)
            self.problem = ""
            self.examples = example_questions(self._engine)
        except PaperchatError as error:  # the page says so, and answers as soon as it is mended
            self.problem = str(error)
        except Exception:
            log.exception("The library or the models could not be opened")
            self.problem = "The library or the models could not be opened. Run `paperchat doctor` for the reason."
        finally:
            self._done.set()
