"""Teaching the image tower its vectors: into the teachers' joint space, whose texts stand still.

Three lessons at once: be where the teachers' image head puts the picture; rank descriptions as it
does, the picture's own first; and name the classes that the teacher names.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.image_tower import ImageShape, ImageTower
from embedder.training.image_maps import unfold
from embedder.training.image_recipe import ImageVectorsRecipe
from embedder.training.lessons import Lessons
from embedder.training.loop import Losses, Parts
from embedder.training.shards import ShardItem, read_media
from embedder.training.space import DIM, TeacherSpace
from embedder.training.targets import in_order
from embedder.training.teachers.image import MobileNetV2
from embedder.training.views import whole_view

V2_POOLED = slice(1024, 1024 + 1280)
"""Where `space.image_features` has MobileNetV2's pooled feature."""


@dataclass(frozen=True, slots=True, eq=False)
class Guidance:
    """Where pictures belong.

    Attributes:
        pictures: The training pictures.
        lessons: The same pictures with the teachers' features and their texts.
        space: The teachers' joint space.
        names: The text teacher's vectors of the image teacher's class names, (1000, 384).
    """

    pictures: Sequence[ShardItem]
    lessons: Lessons
    space: TeacherSpace
    names: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """What n pictures are taught; m descriptions compete for each.

    Attributes:
        x: What the model reads of each picture: pooled features, or pixels.
        targets: The teachers' unit vectors, (n, dim).
        texts: Unit vectors of descriptions, (m, dim).
        own: Which description is the picture's own, (n,).
        allowed: Which descriptions compete, (n, m).
        probabilities: The teacher's class probabilities, (n, 1000).
        kept: Which of the head's inputs survive the dropout, (n, 1280).
    """

    x: Tensor
    targets: Tensor
    texts: Tensor
    own: Tensor
    allowed: Tensor
    probabilities: Tensor
    kept: Tensor

    def parts(self, count: int) -> Parts["Guide"]:
        """Returns equal parts of the pictures; all descriptions compete in each."""
        fields = (self.x, self.targets, self.own, self.allowed, self.probabilities, self.kept)
        shares = zip(*(field.chunk(count) for field in fields), strict=True)
        return Parts(Guide(x, to, self.texts, *others) for x, to, *others in shares)


class VectorLesson:
    """Draws pictures with what they are taught, and says how far their vectors are from it.

    Args:
        space: The teachers' joint space, frozen.
        lessons: The training pictures with the teachers' features.
        names: The text teacher's vectors of the image teacher's class names, (1000, 384).
        recipe: The numbers.
    """

    def __init__(
        self, space: TeacherSpace, lessons: Lessons, names: Tensor, recipe: ImageVectorsRecipe
    ) -> None:
        self.space, self.lessons, self.recipe = space, lessons, recipe
        self.names = space.text_map(names)
        self.scale, self.name_scale = space.logit_scale.exp(), space.name_scale.exp()

    @torch.no_grad()
    def draw(self, step: int, read: Callable[[NDArray[np.int64]], Tensor]) -> Guide:
        """Returns a step's guide; `read` gives the model's input for rows of the pictures."""
        recipe = self.recipe
        count = recipe.batch
        random = np.random.default_rng([recipe.loop.seed, step])
        batch = self.lessons.batch(random, max(count, recipe.texts))
        features = batch.features[:count]
        return Guide(
            x=read(batch.chosen[:count].numpy()),
            targets=self.space.image_head(features),
            texts=self.space.text_map(batch.described),
            own=torch.arange(count),
            allowed=(batch.negatives | torch.eye(len(batch.negatives), dtype=torch.bool))[:count],
            probabilities=features[:, -1000:].softmax(dim=1),
            kept=self._kept(step),
        )

    def _kept(self, step: int) -> Tensor:
        """Draws the dropout, which torch's own generator would deal out to threads as they come."""
        recipe = self.recipe
        random = np.random.default_rng([recipe.loop.seed, 2, step])
        features = V2_POOLED.stop - V2_POOLED.start
        return torch.from_numpy(random.random((recipe.batch, features)) >= recipe.dropout)

    def loss(self, model: nn.Module, guide: Guide, _step: int) -> Losses:
        """Returns the weighted sum of the three lessons, and each of them."""
        recipe = self.recipe
        vectors = functional.normalize(model(guide.x, guide.kept).float(), dim=1)
        cosine = (vectors * guide.targets).sum(1).mean()
        logits, ranks = (
            (self.scale * v @ guide.texts.T).masked_fill(~guide.allowed, -1e4)
            for v in (vectors, guide.targets)
        )
        own = functional.one_hot(guide.own, len(guide.texts))
        order = recipe.own_share * own + (1.0 - recipe.own_share) * ranks.softmax(1)
        texts = functional.cross_entropy(logits, order)
        named = self.name_scale * vectors @ self.names.T
        names = functional.cross_entropy(named, guide.probabilities)
        loss = recipe.cosine_weight * (1.0 - cosine) + texts + recipe.name_weight * names
        return {"loss": loss, "cosine": cosine, "texts": texts, "names": names}


class StandardisedHead(nn.Module):
    """The tower's head in training: features standardised and thinned out before it."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, head: nn.Module, features: Tensor, dropout: float) -> None:
        super().__init__()
        self.head, self.dropout = deepcopy(head), dropout
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("deviation", features.std(0) + 0.1 * features.std())

    def forward(self, features: Tensor, kept: Tensor | None = None) -> Tensor:
        """Returns vectors of pooled features (n, 1280), of those that are kept; None: of all."""
        standard = (features - self.mean) / self.deviation
        if kept is not None:
            standard = standard * kept / (1.0 - self.dropout)
        vectors: Tensor = self.head(standard)
        return vectors

    @torch.no_grad()
    def take_up(self) -> None:
        """Takes `head` for one that reads plain features, and goes on from it."""
        first = cast("nn.Linear", self.head.get_submodule("mlp.fc1"))
        first.bias.add_(first.weight @ self.mean)
        first.weight.mul_(self.deviation)

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """Returns the head alone, the standardisation made part of its first layer."""
        head = deepcopy(self.head)
        first = cast("nn.Linear", head.get_submodule("mlp.fc1"))
        first.weight.div_(self.deviation)
        first.bias.sub_(first.weight @ self.mean)
        return head


class FoldedTower(nn.Module):
    """The tower in the form in which its trunk learnt."""

    def __init__(self, trunk: MobileNetV2, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def unfolded(self) -> nn.Module:
        """Returns the tower as it ships."""
        tower = ImageTower(ImageShape(DIM))
        unfold(self.trunk, tower.trunk)
        tower.head.load_state_dict(self.head.state_dict())
        return tower


def pooled_features(trunk: MobileNetV2, items: Sequence[ShardItem]) -> Tensor:
    """Returns the trunk's pooled features of whole pictures, (n, 1280)."""
    trunk.eval()

    def pooled(files: Sequence[bytes]) -> Tensor:
        pixels = np.stack([whole_view(file) for file in files])
        x = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            return trunk.pooled(x).float()

    files = read_media(items)
    with ThreadPoolExecutor(2) as pool:
        batches = iter(lambda: list(islice(files, 32)), [])
        return torch.cat(list(in_order(pool, pooled, batches)))
