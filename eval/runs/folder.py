"""The folder of one run: what it was (`manifest.json`), its rows (`run.jsonl`), and what is computed from them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.formats.jsonl import UniqueIds, bad_line, reasons
from eval.rows import SCHEMA, Row
from rag.errors import SettingsError, SourceError
from rag.files import write_whole

ROWS = "run.jsonl"
MANIFEST = "manifest.json"
LOCK = ".lock"


class Manifest(BaseModel):
    """What a run is: two runs with equal `identity` may share one folder.

    `configuration` holds the settings that bear on answers, without secrets; `hashes` those of
    configuration, prompts, models, library and questions; `grounding` the version and threshold
    of the grounding score that measured the sentences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=SCHEMA, alias="schema")
    paperchat: str
    created: datetime
    finished: bool = False
    system: Literal["paperchat", "imported"] = "paperchat"
    answerer: str
    seed: int = 0
    configuration: Mapping[str, Any] = Field(default_factory=dict)
    questions: Mapping[str, Any]
    hashes: Mapping[str, str]
    grounding: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return self.model_dump(mode="json", by_alias=True)

    def differences(self, other: Manifest) -> list[str]:
        """The parts, in words, in which `other` is another run: what it asks, with what, and how it measures."""
        mine, theirs = self._identity(), other._identity()
        return [name for name in mine if mine[name] != theirs.get(name)]

    def _identity(self) -> dict[str, Any]:
        return {
            "version of paperchat": self.paperchat,
            "system": self.system,
            "answerer": self.answerer,
            "seed": self.seed,
            "number of questions": self.questions.get("n"),
            **self.hashes,
            "grounding": self.grounding,
        }


def spare_runs(out: Path) -> None:
    """Refuse to write over what no figure could be computed without: the rows or the manifest of a run.

    Raises:
        SettingsError: `out` is one of them.
    """
    path = out.resolve()
    if path.name in (ROWS, MANIFEST) and (path.parent / MANIFEST).exists():
        raise SettingsError(f"{out} belongs to a run and cannot be written over.", "Choose another file.")


class RunFolder:
    """Reads and writes one run folder; nothing in it is ever half written but the last line of the rows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        """The path of one of its files."""
        return self.path / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from writing this run; makes the folder.

        Raises:
            SettingsError: another process is writing it, or the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.file(LOCK), timeout=0)
            lock.acquire()
        except Timeout:
            raise SettingsError(
                f"The run in {self.path} is being written by another process.", "Wait, or choose another folder."
            ) from None
        except OSError as error:
            reason = error.strerror or error
            raise SettingsError(f"Cannot write to {self.path}: {reason}.", "Choose another folder.") from None
        try:
            yield
        finally:
            if not self.file(MANIFEST).exists():  # no run came of it: leave no trace in a folder that is not ours
                self.file(LOCK).unlink(missing_ok=True)
            lock.release()

    def begun(self) -> Manifest | None:
        """What the run is that was begun here; None where nothing was. Raises as `manifest` does."""
        return self.manifest() if self.file(MANIFEST).exists() else None

    def begin(self, wanted: Manifest) -> Manifest:
        """Make the folder of a new run, or find that it holds the beginning of this very run.

        Raises:
            SettingsError: it holds something else; nothing is changed then.
        """
        begun = self.begun()
        if begun is None:
            self.begin_new(wanted)
            return wanted
        if (differing := wanted.differences(begun)) and not self.rows():  # it failed before its first answer
            self.write_manifest(wanted)
            return wanted
        if differing:
            raise SettingsError(
                f"{self.path} holds another run: its {', '.join(differing)} differ{'s' * (len(differing) == 1)}.",
                "Choose another folder with --out, or run with what that run was begun with.",
            )
        return begun

    def begin_new(self, manifest: Manifest) -> None:
        """Make the folder of a new run.

        Raises:
            SettingsError: it holds something already; nothing is changed then.
        """
        found = sorted(path.name for path in self.path.iterdir() if path.name != LOCK)
        if found:
            raise SettingsError(f"{self.path} is not empty (it holds {found[0]}).", "Choose another folder with --out.")
        self.write_manifest(manifest)

    def manifest(self) -> Manifest:
        """What the run is.

        Raises:
            SettingsError: it was written by another version of paperchat.
            SourceError: there is no run, or its manifest is damaged.
        """
        path = self.file(MANIFEST)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError:
            raise SourceError(
                f"{self.path} is no run folder: it has no {MANIFEST}.", "Make one with `paperchat eval run`."
            ) from None
        except ValueError as error:
            raise SourceError(f"{path} is damaged: {error}.", "Run again into another folder.") from None
        schema = found.get("schema") if isinstance(found, dict) else None
        if schema != SCHEMA:
            raise SettingsError(
                f"The run in {self.path} has the schema {schema!r}; this paperchat reads {SCHEMA}.",
                "Run again into another folder, or read it with the paperchat that wrote it.",
            )
        try:
            return Manifest.model_validate(found)
        except ValidationError as error:
            raise SourceError(f"{path} is damaged: {reasons(error)}.", "Run again into another folder.") from None

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        self.write(MANIFEST, json.dumps(manifest.as_dict(), indent=2, ensure_ascii=False) + "\n")

    def rows(self) -> list[Row]:
        """The rows in the order in which they were answered.

        A last line without its line feed was being written when the run was stopped: it is left out.

        Raises:
            SourceError: a line is no row (names file, line and reason), or a question stands there twice.
        """
        path, rows = self.file(ROWS), []
        seen = UniqueIds(path, "the question")
        for number, line in enumerate(self._whole_lines(), 1):
            try:
                row = Row.model_validate_json(line)
            except ValidationError as error:
                raise bad_line(path, number, f"no row of a run: {reasons(error)}") from None
            seen.add(number, row.gold.qid)
            rows.append(row)
        return rows

    def drop_torn_line(self) -> bool:
        """Cut off a last line that was not written to its end; says whether there was one."""
        path = self.file(ROWS)
        content = path.read_bytes() if path.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole == len(content):
            return False
        with path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
        return True

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows; when this returns they are on the disk."""
        with self.file(ROWS).open("ab") as file:
            file.write("".join(row.model_dump_json() + "\n" for row in rows).encode())
            file.flush()
            os.fsync(file.fileno())

    def write(self, name: str, text: str) -> None:
        """Replace one of its files as a whole."""
        write_whole(self.file(name), text)

    def _whole_lines(self) -> list[bytes]:
        path = self.file(ROWS)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SourceError(f"Cannot read {path}: {error.strerror}.", "Check the folder's permissions.") from None
        return content.split(b"\n")[:-1]
