"""Conditioning: the targets there are, and the tensors that each takes."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BeforeValidator, Field

from embedder.conditioning.bridge import BridgeName, Choice
from embedder.conditioning.generator.sampler import PictureSampling
from embedder.conditioning.mix import Mix
from embedder.conditioning.prior import Sampling
from embedder.conditioning.tensors import DType
from embedder.media import Modality
from service.conditioning.messages import ConditionQuery, FileFormat, ProfileInfo
from service.rest.files import ANY_BYTES
from service.rest.search import Hit, Part, parts_of
from service.rest.wire import (
    Answer,
    JsonRoute,
    Many,
    PathText,
    Question,
    TheEngine,
    Timing,
    Treatment,
    reply,
)

router = APIRouter(prefix="/v1", tags=["conditioning"], route_class=JsonRoute)

FILES: Mapping[FileFormat, str] = {
    "safetensors": "application/octet-stream",
    "npz": "application/zip",
}

_USUAL, _SAMPLED = Choice(), PictureSampling()

Base64 = Annotated[str, BeforeValidator(lambda data: base64.b64encode(data).decode())]
"""Bytes, as JSON can hold them."""


class ProfileArgument(Answer):
    """One tensor of a pipeline's call; letters in `axes` are what the request decides."""

    name: str
    axes: list[Annotated[str, BeforeValidator(str)]]
    holds: str
    listed: bool


class NoiseLevels(Answer):
    """How far a target lets its vector be blurred: the most, and what is proposed."""

    most: int
    pictures: int
    others: int


class Profile(Answer):
    """A target: a pipeline's argument that listens to a vector."""

    id: str
    description: str
    version: int
    library: str
    class_name: str
    encoder: str
    dim: int
    scale: str
    norm: float
    unconditional: str
    most_vectors: int
    noise_levels: NoiseLevels | None = None
    arguments: list[ProfileArgument]
    checkpoint: str
    needs: list[str]
    ready_models: list[str] = Field(default=[], description="Served models that lead there.")


class Profiles(Answer):
    """Every target."""

    profiles: list[Profile]


class BridgeParams(Question):
    """The numbers of a bridge; what is left out has its default."""

    strength: float = Field(_USUAL.strength, description="0 is the vector as it is.")
    k: int = Field(_USUAL.k, description="Pictures that `knn` means over.")
    temperature: float = Field(_USUAL.temperature, description="What `knn` multiplies cosines by.")
    steps: int = Field(_USUAL.sampling.steps, description="Steps of the prior's solver.")
    guidance: float = Field(_USUAL.sampling.guidance, description="1 samples as the prior learnt.")
    candidates: int = Field(_USUAL.sampling.candidates, description="Samples; the fittest is kept.")

    def choice(self, name: BridgeName) -> Choice:
        """Returns the bridge of this name, with these numbers."""
        return Choice(
            name,
            strength=self.strength,
            k=self.k,
            temperature=self.temperature,
            sampling=Sampling(self.steps, self.guidance, self.candidates),
        )


class ConditionQuestion(Question):
    """What a generator is to listen to."""

    inputs: Part | Many[Part]
    negative_inputs: Part | Many[Part] = Field(
        [], description="What to lead away from, in the place of what the target is guided against."
    )
    profile: str = Field("kindred-raw", description="The target; see /v1/condition/profiles.")
    bridge: BridgeName = BridgeName.AUTO
    bridge_params: BridgeParams = BridgeParams.model_validate({})
    mix: Mix = Mix.MEAN
    num_vectors: int = 1
    seed: int | None = Field(None, description="The same seed gives the same tensors.")
    cfg: bool = Field(True, description="Give what guidance is measured against, too.")
    noise_level: int | None = None
    dtype: DType = DType.F32
    format: Literal["json"] | FileFormat = Field(
        "json", description="Or the tensors alone, as one file."
    )
    model: str | None = Field(None, description="By default the collection's, or the first.")
    collection: str | None = Field(
        None, description="Whose items are named, whose pictures knn and diagnostics look among."
    )

    def asked(self) -> ConditionQuery:
        """Returns the question as the engine takes it."""
        return ConditionQuery(
            inputs=parts_of(self.inputs),
            negative_inputs=parts_of(self.negative_inputs),
            model=self.model,
            collection=self.collection,
            profile=self.profile,
            bridge=self.bridge_params.choice(self.bridge),
            mix=self.mix,
            num_vectors=self.num_vectors,
            seed=self.seed,
            cfg=self.cfg,
            noise_level=self.noise_level,
            dtype=self.dtype,
        )


class Tensor(Answer):
    """An array: base64 of its numbers, little-endian, the last axis fastest."""

    dtype: DType
    shape: list[int]
    data: Base64


class Call(Answer):
    """How a pipeline is called: tensors by keyword, a list of names where it takes a list."""

    library: str
    class_name: str
    arguments: dict[str, str | list[str]]
    options: dict[str, float | None]
    needs: list[str]
    snippet: str


class InputReport(Answer):
    """What became of one input."""

    modality: Modality
    weight: float
    norm: float
    bridge: str
    cos_to_result: float


class Diagnostics(Answer):
    """How usual the result is among pictures."""

    cos_to_image_mean: float | None = None
    log_density_percentile: float | None = None
    residual_percentile: float | None = None


class Conditioned(Answer):
    """The tensors, and what to know of them."""

    model: str
    space: str
    tensors: dict[str, Tensor]
    call: Call
    profile: str
    profile_version: int
    norm: float
    adapter: str
    seed: int
    bridge_used: str
    per_input: list[InputReport]
    diagnostics: Diagnostics
    nearest: list[Hit]
    warnings: list[str]
    treatments: list[Treatment]
    timing_ms: Timing


class PictureQuestion(Question):
    """What small pictures are to be of."""

    inputs: Part | Many[Part]
    bridge: BridgeName = BridgeName.AUTO
    bridge_params: BridgeParams = BridgeParams.model_validate({})
    count: int = Field(1, description="Pictures to make.")
    seed: int | None = Field(None, description="The same seed makes the same pictures.")
    steps: int = Field(_SAMPLED.steps, description="From noise to a picture.")
    guidance: float = Field(_SAMPLED.guidance, description="1 follows what is asked as it learnt.")
    noise: float = Field(_SAMPLED.noise, description="How freely to read what is asked, 0 to 1.")
    collection: str | None = Field(None, description="Whose items are named.")

    def asked(self) -> tuple[ConditionQuery, PictureSampling]:
        """Returns the question as the engine takes it."""
        query = ConditionQuery(
            inputs=parts_of(self.inputs),
            collection=self.collection,
            bridge=self.bridge_params.choice(self.bridge),
            num_vectors=self.count,
            seed=self.seed,
        )
        how = PictureSampling(steps=self.steps, guidance=self.guidance, noise=self.noise)
        return query, how


class Generated(Answer):
    """PNG files in base64."""

    generator: str
    pictures: list[Base64]
    seed: int
    bridge_used: str
    warnings: list[str]
    timing_ms: Timing


@router.get("/condition/profiles", response_model=Profiles)
async def list_profiles(engine: TheEngine) -> Response:
    """Lists the targets that can be conditioned."""
    return reply(Profiles(profiles=list(map(_profile, await engine.conditions.profiles()))))


@router.get("/condition/profiles/{name}", response_model=Profile)
async def get_profile(name: PathText, engine: TheEngine) -> Response:
    """Gets one target."""
    return reply(_profile(await engine.conditions.profile(name)))


@router.post(
    "/condition",
    response_model=Conditioned,
    responses={200: {"content": dict.fromkeys(FILES.values(), ANY_BYTES)}},
)
async def condition(question: ConditionQuestion, engine: TheEngine) -> Response:
    """Makes the tensors of a target's call, from any mix of words, pictures, sounds and items."""
    answer = await engine.conditions.condition(question.asked())
    if question.format != "json":
        body = await asyncio.to_thread(answer.file, question.format)
        return Response(body, media_type=FILES[question.format])
    return reply(Conditioned.model_validate(answer))


@router.post("/generate", response_model=Generated)
async def generate(question: PictureQuestion, engine: TheEngine) -> Response:
    """Makes small pictures of words, pictures, sounds and items: a demonstration."""
    return reply(Generated.model_validate(await engine.pictures.generate(*question.asked())))


def _profile(info: ProfileInfo) -> Profile:
    told = Profile.model_validate(info.profile)
    return told.model_copy(update={"ready_models": list(info.ready_models)})
