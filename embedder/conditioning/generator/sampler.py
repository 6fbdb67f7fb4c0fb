"""Makes pictures of vectors; nothing here imports torch until a generator is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors, unit
from embedder.conditioning.generator.weights import NAME, WEIGHTS, GeneratorFile
from embedder.errors import UnfitForTarget

if TYPE_CHECKING:
    from embedder.conditioning.generator.network import Network

Pictures = NDArray[np.uint8]
"""uint8, shape (n, size, size, 3)."""

MOST_STEPS = 200
MOST_GUIDANCE = 20.0

_BATCH = 8
"""Pictures that are made together: more only take memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSampling:
    """How pictures are made.

    Attributes:
        seed: Picture i begins in the noise of (seed, i): what is made with it changes nothing.
        steps: Steps of Heun's method from noise to a picture, each of two passes.
        guidance: 1 follows the vector as trained; more follows it beyond that, at twice the cost.
        noise: L2 norm of Gaussian noise on each vector, which the network is told of: pictures keep
            less to the vector, which helps where it is not quite a picture's. At most 1.

    Raises:
        UnfitForTarget: If a number is out of its range.
    """

    seed: int = 0
    steps: int = 12
    guidance: float = 2.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("seed", self.seed, 0, 2**63 - 1),
            ("steps", self.steps, 1, MOST_STEPS),
            ("guidance", self.guidance, 0.0, MOST_GUIDANCE),
            ("noise", self.noise, 0.0, 1.0),
        ):
            if not least <= value <= most:
                raise UnfitForTarget(f"{name} must be {least} to {most}, got {value}")


class Generator:
    """Makes small pictures of what vectors say.

    Args:
        file: What the weights file holds.
        network: The network with these weights, in eval mode.
        device: What it is on.

    Attributes:
        file: Where it came from, without torch.
        id: Names the generator: equal ids make equal pictures on one machine.
    """

    def __init__(self, file: GeneratorFile, network: "Network", device: str = "cpu") -> None:
        self.file = file
        self.id = f"{NAME}-{file.digest[:16]}"
        self._network, self._device = network, device

    @classmethod
    def load(
        cls, path: Path = WEIGHTS, *, space: str | None = None, device: str = "cpu"
    ) -> "Generator":
        """Reads the weights and builds the network.

        Args:
            path: The weights.
            space: Id of the space that its vectors will be of; None leaves it to the caller that
                they are of the generator's.
            device: Where it runs, e.g. "cpu" or "cuda".

        Raises:
            WeightsError: If the file is missing, damaged or of another architecture.
            FittedElsewhere: If it was trained on vectors of another space.
            MissingDependency: If the installed torch can't use the device.
        """
        file = GeneratorFile.read(path, space)
        from embedder.conditioning.generator.network import built

        return cls(file, built(file, device), device)

    def sample(
        self,
        vectors: Vectors,
        how: PictureSampling | None = None,
        advance: Callable[[int, int], object] | None = None,
    ) -> Pictures:
        """Makes a picture of each vector: an image vector, or one that was bridged to be like it.

        Args:
            vectors: (n, dim), of any norm.
            how: Seed, steps and strength.
            advance: Called with the pictures made so far and their number in all.

        Returns:
            uint8, (n, size, size, 3), the same for the same vector, place in the batch and seed.

        Raises:
            UnfitForTarget: If the vectors are not of the shape it takes.
            EncodingFailed: If a vector is zero or not finite.
        """
        how, shape = how or PictureSampling(), self.file.shape
        if vectors.ndim != 2 or vectors.shape[1] != shape.dim:
            raise UnfitForTarget(f"vectors must be (n, {shape.dim}), got {vectors.shape}")
        told = unit(vectors)
        pictures = np.empty((len(told), shape.size, shape.size, 3), dtype=np.uint8)
        for at in range(0, len(told), _BATCH):
            rows = slice(at, at + _BATCH)
            pictures[rows] = self._made(told[rows], at, how)
            if advance is not None:
                advance(min(at + _BATCH, len(told)), len(told))
        return pictures

    def _made(self, vectors: Vectors, first: int, how: PictureSampling) -> Pictures:
        import torch

        from embedder.conditioning.generator.flow import Flow, integrated
        from embedder.conditioning.generator.network import Heard

        size = self.file.shape.size
        dealers = [np.random.default_rng([how.seed, first + i]) for i in range(len(vectors))]
        begin = np.stack([rng.standard_normal((3, size, size)) for rng in dealers])
        doubt = np.stack([rng.standard_normal(vectors.shape[1]) for rng in dealers])
        noisy = unit((vectors + how.noise * doubt / np.sqrt(doubt.shape[1])).astype(np.float32))
        count = len(vectors)
        heard = Heard(
            torch.from_numpy(noisy), torch.full((count,), how.noise), torch.ones(count)
        ).to(self._device)
        start = torch.from_numpy(begin.astype(np.float32)).to(self._device)
        with torch.inference_mode():
            flow = Flow(self._network, self._network.spectrum)
            found = integrated(flow.guided(heard, how.guidance), start, how.steps)
        values = ((found.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
        return np.ascontiguousarray(values.permute(0, 2, 3, 1).cpu().numpy())
