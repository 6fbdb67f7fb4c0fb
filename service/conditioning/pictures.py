"""The use case of the small generator: pictures of words, pictures, sounds and any mix of them."""

import asyncio
import io
import time
from dataclasses import replace

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from embedder.conditioning.generator.sampler import Generator, PictureSampling
from embedder.conditioning.generator.weights import WEIGHTS
from service.access.caller import Scope
from service.access.needs import needs
from service.conditioning.conditions import Conditions
from service.conditioning.messages import ConditionQuery, PictureAnswer
from service.errors import GeneratorMissing, TooManyItems
from service.settings import Settings

PROFILE = "kindred-raw"
"""Unit vectors of the served space: the generator's file says itself which space it listens to."""


class Pictures:
    """What is asked of the generator; `Engine.pictures` is the one of a process.

    Args:
        conditions: Make what it listens to.
        settings: Where its weights are, and how many pictures a request may make.
    """

    def __init__(self, conditions: Conditions, settings: Settings) -> None:
        self._conditions = conditions
        self._path = settings.generator or WEIGHTS
        self._most = settings.max_pictures
        self._generator: Generator | None = None
        self._working = asyncio.Lock()

    @needs(Scope.READ)
    async def generate(self, query: ConditionQuery, how: PictureSampling) -> PictureAnswer:
        """Makes as many pictures as the query asks for vectors.

        Args:
            query: What to listen to, of no profile.
            how: Steps and strength; the seed is that of the query.

        Raises:
            GeneratorMissing: If the server has no weights of it.
            TooManyItems: If it is asked for more pictures than it may make.
            ConditioningError: As `Conditions.condition`.
            FittedElsewhere: If the generator belongs to another model.
        """
        began = time.perf_counter()
        if query.num_vectors > self._most:
            raise TooManyItems(f"at most {self._most} pictures at once, got {query.num_vectors}")
        self._require_weights()
        made = await self._conditions.condition(replace(query, profile=PROFILE, cfg=False))
        vectors = made.tensors["vectors"].values
        async with self._working:  # it takes every core for seconds: one request at a time
            generator = await asyncio.to_thread(self._loaded, made.space)
            how = replace(how, seed=made.seed)
            pictures = await asyncio.to_thread(generator.sample, vectors, how)
        return PictureAnswer(
            generator=generator.id,
            pictures=tuple(await asyncio.to_thread(lambda: [_png(each) for each in pictures])),
            seed=made.seed,
            bridge_used=made.bridge_used,
            warnings=made.warnings,
            timing_ms=replace(made.timing_ms, total=1000 * (time.perf_counter() - began)),
        )

    def _require_weights(self) -> None:
        if not self._path.is_file():
            raise GeneratorMissing(
                "this server has no generator: `kindred train --generator` makes one, and the "
                "setting generator says where it lies"
            )

    def _loaded(self, space: str) -> Generator:
        if self._generator is None or self._generator.file.space != space:
            self._generator = Generator.load(self._path, space=space)
        return self._generator


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()
