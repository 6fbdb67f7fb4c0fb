"""open_clip's models by name: taken apart, looked up and described without importing torch.

open_clip:ViT-B-32/laion2b_s34b_b79k     an architecture and a tag of its weights
open_clip:ViT-B-32/FILE                  an architecture and a checkpoint of one's own
open_clip:hf-hub:ORG/REPO                a repository that says what it is
open_clip:local-dir:FOLDER               a folder that does
"""

import importlib.util
import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from embedder.errors import ModelNotFound
from embedder.models.clip_parameters import PARAMETERS

PREFIX = "open_clip:"

_PLACES = ("hf-hub:", "local-dir:")

_LICENCES = (
    ("MobileCLIP*", "Apple-AMLR"),
    ("nllb-clip*", "CC-BY-NC-4.0"),
    ("PE-Core*", "Apache-2.0"),
    ("ViTamin*", "MIT"),
    ("*-CLIPA*", "Apache-2.0"),
    ("*/dfn*", "Apple-AMLR"),
    ("*/metaclip*", "CC-BY-NC-4.0"),
    ("*/webli", "Apache-2.0"),
    ("*/openai", "MIT"),
    ("*/laion*", "MIT"),
    ("*/frozen_laion*", "MIT"),
    ("*/mscoco_finetuned_laion*", "MIT"),
    ("*/datacomp*", "MIT"),
    ("*/commonpool*", "MIT"),
    ("*/merged2b*", "MIT"),
    ("hf-hub:laion/CLIP-*", "MIT"),
    ("hf-hub:apple/*", "Apple-AMLR"),
    ("hf-hub:timm/ViT-*-SigLIP*", "Apache-2.0"),
)
"""Of weights, by what their names look like, as their publishers state them; the first that fits
counts, and what fits none is `unknown`."""

_BYTES = 4
"""Of a published weight: open_clip's checkpoints are float32."""


@dataclass(frozen=True, slots=True)
class ClipName:
    """A name taken apart.

    Attributes:
        architecture: As open_clip's `create_model` takes it, repositories and folders included.
        weights: A tag or a file; None where the architecture is a place that has its own.
    """

    architecture: str
    weights: str | None

    @classmethod
    def parse(cls, name: str) -> "ClipName":
        """Takes `open_clip:...` apart.

        Raises:
            ModelNotFound: If it does not say which weights.
        """
        rest = name.removeprefix(PREFIX)
        if rest.startswith(_PLACES):
            return cls(rest, None)
        architecture, _, weights = rest.partition("/")
        if not architecture or not weights:
            raise ModelNotFound(
                f"a model of open_clip is named {PREFIX}ARCHITECTURE/WEIGHTS, where WEIGHTS is a "
                f"tag or a file, or {PREFIX}hf-hub:ORG/REPO, or {PREFIX}local-dir:FOLDER; "
                f"got {name!r}"
            )
        return cls(architecture, weights)

    @property
    def licence(self) -> str:
        """What is known of the licence of the weights; of a file of one's own, nothing."""
        if self.weights and ("/" in self.weights or "." in self.weights):
            return "unknown"
        name = f"{self.architecture}/{self.weights}" if self.weights else self.architecture
        return next((terms for kind, terms in _LICENCES if fnmatchcase(name, kind)), "unknown")

    @property
    def parameters(self) -> int:
        """Weights of both towers together; 0 where only the weights' place knows."""
        return PARAMETERS.get(self.architecture, 0)

    @property
    def bytes(self) -> int:
        """About how large the published weights are; 0 where only their place knows."""
        return _BYTES * self.parameters

    @property
    def dim(self) -> int:
        """Length of its vectors; 0 where only the weights' place knows."""
        return int(_config(self.architecture).get("embed_dim", 0))


def architectures() -> tuple[str, ...]:
    """Returns the names of the architectures that open_clip ships, in order."""
    return tuple(sorted(path.stem for path in _folder().glob("*.json")))


def _config(architecture: str) -> dict[str, Any]:
    path = _folder() / f"{architecture}.json"
    if architecture.startswith("local-dir:"):
        path = Path(architecture.removeprefix("local-dir:")) / "open_clip_config.json"
    if not path.is_file():
        return {}
    config: dict[str, Any] = json.loads(path.read_text())
    model: dict[str, Any] = config.get("model_cfg", config)
    return model


def _folder() -> Path:
    """Returns where open_clip keeps the numbers of its architectures."""
    spec = importlib.util.find_spec("open_clip")
    places = (spec.submodule_search_locations if spec else None) or ["."]
    return Path(places[0]) / "model_configs"
