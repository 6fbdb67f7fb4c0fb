"""Teaches a frozen model another sense: sounds, bound to its words and pictures.

ImageBind's recipe (arXiv:2305.05665): InfoNCE between the new tower's vectors and the frozen ones
of what each sound is paired with, texts and, where there are any, pictures, in both directions.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from embedder import catalog
from embedder.base import Embedder
from embedder.errors import UnsupportedModality
from embedder.features.audio import patches
from embedder.media import Modality
from embedder.models.audio_tower import AudioShape, AudioTower
from embedder.models.bound import FORMAT
from embedder.models.mini import WEIGHTS
from embedder.models.mini_towers import build_tower
from embedder.models.mini_weights import read_weights
from embedder.training.bind_pairs import BindSenseRecipe, Drawn, Pairs, draw, pairs_of
from embedder.training.loop import Losses, train
from embedder.training.shards import ShardItem, is_held_out, read_items


@dataclass(frozen=True, slots=True)
class Found:
    """How the new sense finds held-out texts, in shares.

    Attributes:
        sounds: Sounds that were asked about.
        texts: Different texts among which each had to find one of its own.
        first: Share that found one first.
        first_ten: Share that found one among the first ten.
        chance: What `first` would be by chance.
    """

    sounds: int
    texts: int
    first: float
    first_ten: float
    chance: float


def bind_audio(
    base: Embedder,
    data: Path,
    out: Path,
    *,
    start: AudioTower | None = None,
    recipe: BindSenseRecipe | None = None,
) -> Found:
    """Binds sounds to a frozen model and writes `out`, which `bound:FILE` names; resumable.

    Args:
        base: The model; it must embed texts, and pictures if they are to count. One that hears gets
            a second ear: the file's sounds go through the new tower.
        data: Folder of shards, see `embedder.training.shards`.
        out: The file to write; caches and checkpoints go into a folder beside it.
        start: A tower whose stages are taken over; random ones without it.
        recipe: Other numbers than the usual ones.

    Returns:
        How well sounds that were held out find their texts.

    Raises:
        UnsupportedModality: If the base embeds no text.
    """
    recipe = recipe or BindSenseRecipe()
    _require_words(base)
    work = _work_beside(out)
    every = _captioned(data)
    taught = pairs_of([i for i in every if not is_held_out(i)], base, data, work / "train", recipe)
    judged = pairs_of([i for i in every if is_held_out(i)], base, data, work / "held_out", recipe)
    bound = train(
        Bound(_tower(base.space.dim, start, recipe.loop.seed), recipe.temperature),
        lambda step: draw(taught, recipe, step),
        lambda model, batch, _: loss(model, batch, recipe.picture_weight),
        recipe.loop,
        work / "tower",
    )
    found = judge(bound.tower, judged)
    write(out, bound.tower, base, found)
    return found


def _captioned(data: Path) -> list[ShardItem]:
    """Returns the sounds of a folder of shards that somebody has described.

    Raises:
        FileNotFoundError: If there is none.
    """
    items = [item for item in read_items(data) if item.modality == Modality.AUDIO and item.captions]
    if not items:
        raise FileNotFoundError(f"shards must have sounds with captions, and those of {data} don't")
    return items


def _work_beside(out: Path) -> Path:
    """Returns the folder of caches and checkpoints of a file that is being made."""
    work = out.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)
    return work


def _require_words(base: Embedder) -> None:
    if Modality.TEXT not in base.modalities:
        known = ", ".join(sorted(base.modalities))
        raise UnsupportedModality(f"a base must embed text; {base.name} embeds {known}")


def bind_named(
    base: str, data: Path, out: Path, *, heard: bool = True, recipe: BindSenseRecipe | None = None
) -> Found:
    """Binds sounds to a model of the catalogue, see `bind_audio`.

    Args:
        base: The model's name.
        data: Folder of shards.
        out: The file to write.
        heard: Whether the tower starts from kindred-mini's, which hears, instead of at random.
        recipe: Other numbers than the usual ones.
    """
    start = _bundled() if heard else None
    return bind_audio(catalog.load(base), data, out, start=start, recipe=recipe)


class Bound(nn.Module):
    """The new tower and the temperature it learns with."""

    def __init__(self, tower: AudioTower, temperature: float) -> None:
        super().__init__()
        self.tower = tower
        self.log_scale = nn.Parameter(torch.tensor(1 / temperature).log())

    def forward(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        """Returns unit vectors of sounds, and what cosines are multiplied by, at most 100."""
        return functional.normalize(self.tower(heard), dim=1), self.log_scale.exp().clamp(max=100)


def loss(model: nn.Module, batch: Drawn, picture_weight: float) -> Losses:
    """Returns InfoNCE with texts, with pictures where there are any, and their weighted sum."""
    vectors, scale = model(batch.patches)
    texts = _info_nce(scale * vectors @ batch.texts.T, batch.says)
    pictures = torch.zeros(())
    if len(batch.pictures):
        pictures = _info_nce(scale * vectors @ batch.pictures.T, batch.shows)
    return {"loss": texts + picture_weight * pictures, "texts": texts, "pictures": pictures}


def _info_nce(logits: Tensor, right: Tensor) -> Tensor:
    """Both directions; several right ones share the blame, and rows without any have none."""

    def one_way(rows: Tensor, goal: Tensor) -> Tensor:
        some = goal.any(1)
        goal = goal[some].float()
        return -(rows[some].log_softmax(1) * goal / goal.sum(1, keepdim=True)).sum(1).mean()

    return (one_way(logits, right) + one_way(logits.T, right.T)) / 2


@torch.no_grad()
def judge(tower: AudioTower, pairs: Pairs) -> Found:
    """Returns how well sounds find their own texts among all texts of these sounds."""
    tower.eval()
    heard = [
        torch.from_numpy(patches(pairs.sounds.clip(i)))[None] for i in range(len(pairs.texts_of))
    ]
    vectors = functional.normalize(torch.cat([tower(x) for x in heard]), dim=1)
    order = (vectors @ pairs.texts.T).argsort(dim=1, descending=True).numpy()
    best = [int(np.isin(row, own).argmax()) for row, own in zip(order, pairs.texts_of, strict=True)]
    ranks = np.array(best)
    chance = float(np.mean([len(own) for own in pairs.texts_of]) / len(pairs.texts))
    first, ten = float((ranks < 1).mean()), float((ranks < 10).mean())
    return Found(len(ranks), len(pairs.texts), first, ten, chance)


def write(path: Path, tower: AudioTower, base: Embedder, found: Found) -> None:
    """Writes tower, header and card, whole or not at all."""
    config = {
        "format": FORMAT,
        "base": base.name,
        "base_space": base.space.id,
        "audio": asdict(tower.shape),
        "card": card(base, found),
    }
    state = {name: tensor.half().contiguous() for name, tensor in tower.state_dict().items()}
    part = path.with_suffix(".part")
    save_file(state, part, {"config": json.dumps(config)})
    part.chmod(0o644)  # safetensors makes files that their owner alone can read
    part.replace(path)


def card(base: Embedder, found: Found) -> str:
    """Returns what there is to say of a bound sense, in Markdown."""
    return (
        f"# Sounds in the space of {base.name}\n\n"
        f"An audio tower bound to the frozen model {base.name} (space {base.space.id}) by InfoNCE "
        "with texts and pictures (arXiv:2305.05665).\n\n"
        f"Held-out sounds: {found.sounds}; texts: {found.texts}. A sound finds a text of its own "
        f"first in {found.first:.1%} (chance {found.chance:.1%}), among the first ten in "
        f"{found.first_ten:.1%}.\n"
    )


def _bundled() -> AudioTower:
    """Returns kindred-mini's audio tower."""
    tower = build_tower(Modality.AUDIO, read_weights(WEIGHTS))
    if not isinstance(tower, AudioTower):
        raise TypeError(f"the bundled tower must be an AudioTower, got {type(tower).__name__}")
    return tower


def _tower(dim: int, start: AudioTower | None, seed: int) -> AudioTower:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if start is None:
            return AudioTower(AudioShape(dim))
        tower = AudioTower(AudioShape(dim, start.shape.widths, start.shape.strides))
    tower.stages.load_state_dict(start.stages.state_dict())
    return tower
