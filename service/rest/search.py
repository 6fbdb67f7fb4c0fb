"""Search: the nearest items to a weighted mix of contents."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from embedder.media import Modality
from service import messages
from service.rest.content import ItemPart, MediaPart, TextPart, VectorPart
from service.rest.wire import (
    Answer,
    JsonRoute,
    Many,
    PathText,
    Question,
    TheEngine,
    Timing,
    Treatment,
    Vector,
    reply,
)

router = APIRouter(prefix="/v1/collections", tags=["search"], route_class=JsonRoute)


class Weighted(Question):
    """How much a part counts; a negative weight pushes away."""

    weight: float = 1.0


class WeightedText(TextPart, Weighted):
    """Words."""


class WeightedMedia(MediaPart, Weighted):
    """A picture or a sound."""


class WeightedItem(ItemPart, Weighted):
    """A stored item."""


class WeightedVector(VectorPart, Weighted):
    """A vector."""


Part = (
    str
    | Annotated[
        WeightedText | WeightedMedia | WeightedItem | WeightedVector, Field(discriminator="type")
    ]
)


class SearchQuestion(Question):
    """What to find."""

    query: Part | Many[Part] = Field(description="One part, or several that are mixed by weight.")
    k: int = Field(10, description="How many hits in all.")
    modalities: Many[Modality] = Field([], description="Which may answer; none means all.")
    k_per_modality: int | None = Field(None, description="At most so many of each modality.")
    filter: dict[str, Any] | None = Field(None, description="What metadata must satisfy.")
    min_score: float | None = Field(None, description="Least cosine of a hit.")
    ranking: messages.Ranking | None = Field(
        None, description="By default calibrated where the candidates span modalities."
    )
    include: Many[Literal["metadata", "vector"]] = Field(["metadata"])
    exact: bool = Field(False, description="Compare every item, however long that takes.")

    def asked(self) -> messages.SearchQuery:
        """Returns the question as the engine takes it."""
        return messages.SearchQuery(
            parts=parts_of(self.query),
            k=self.k,
            modalities=tuple(self.modalities),
            k_per_modality=self.k_per_modality,
            filter=self.filter,
            min_score=self.min_score,
            ranking=self.ranking,
            with_vectors="vector" in self.include,
            exact=self.exact,
        )


class Window(Answer):
    """A stretch of an item, in seconds."""

    start: float
    end: float


class Hit(Answer):
    """An item that was found: its cosine, and what that is worth among its modality."""

    id: str
    modality: Modality
    score: float
    calibrated: float
    probability: float
    metadata: dict[str, Any] | None
    has_content: bool
    vector: Vector | None = None
    at: Window | None = Field(
        None, description="Its window that is nearest, if it was stored with windows."
    )


class Found(Answer):
    """The hits, best first, and how they were found."""

    collection: str = Field(description="The one that answered, by its own name.")
    hits: list[Hit]
    space: str
    index: str
    exact: bool
    ranking: messages.Ranking
    treatments: list[Treatment]
    timing_ms: Timing


@router.post("/{collection}/items:search", response_model=Found)
async def search_items(
    collection: PathText, question: SearchQuestion, engine: TheEngine
) -> Response:
    """Finds the nearest items to words, pictures, sounds, stored items or any mix of them."""
    found = Found.model_validate(await engine.collections.search(collection, question.asked()))
    if "metadata" not in question.include:
        for hit in found.hits:
            hit.metadata = None
    return reply(found)


def parts_of(given: Part | Many[Part]) -> list[messages.QueryPart]:
    """Returns parts as the engine takes them."""
    return [_part(part) for part in (given if isinstance(given, list) else [given])]


def _part(part: Part) -> messages.QueryPart:
    if isinstance(part, str):
        return messages.QueryPart(messages.TextContent(part))
    return messages.QueryPart(part.content(), part.weight)
