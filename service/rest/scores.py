"""How usual contents are among the items of a collection."""

from fastapi import APIRouter, Response
from pydantic import Field

from embedder.media import Modality
from service.rest.content import Content, content_of
from service.rest.wire import (
    Answer,
    JsonRoute,
    Many,
    PathText,
    Question,
    TheEngine,
    Timing,
    WrongItem,
    reply,
)

router = APIRouter(prefix="/v1/collections", tags=["conditioning"], route_class=JsonRoute)


class ScoreQuestion(Question):
    """What is compared with the items of its modality."""

    contents: Many[Content] = Field(description="May be items of the collection.")


class Score(Answer):
    """How usual a content is: percentiles of held-out items, near 0 for an outlier; or an error."""

    index: int
    modality: Modality | None = None
    percentile: float | None = None
    density_percentile: float | None = None
    residual_percentile: float | None = None
    log_density: float | None = None
    residual: float | None = None
    error: WrongItem | None = None


class Density(Answer):
    """What the scores of one modality stand on."""

    modality: Modality
    kind: str
    fitted: int
    held_out: int
    warnings: list[str]


class Scores(Answer):
    """One score for each content, in order."""

    collection: str = Field(description="The one that was asked, by its own name.")
    space: str
    scores: list[Score]
    densities: list[Density]
    timing_ms: Timing


@router.post("/{collection}:score", response_model=Scores)
async def score_items(collection: PathText, question: ScoreQuestion, engine: TheEngine) -> Response:
    """Tells how usual contents are among the items of their modality: an outlier is near 0."""
    contents = [content_of(each) for each in question.contents]
    return reply(Scores.model_validate(await engine.densities.score(collection, contents)))
