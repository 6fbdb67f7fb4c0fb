"""Zero-shot classification: one content against candidates."""

from fastapi import APIRouter, Response
from pydantic import Field

from service.rest.content import Content, content_of
from service.rest.wire import Answer, JsonRoute, Many, Question, TheEngine, Timing, reply

router = APIRouter(prefix="/v1", tags=["embeddings"], route_class=JsonRoute)


class RankQuestion(Question):
    """What to rank against what."""

    query: Content
    candidates: Many[Content]
    model: str | None = Field(None, description="A served model; by default the first.")


class RankedCandidate(Answer):
    """A candidate by its place in the request, its cosine, and its softmax over all candidates."""

    index: int
    score: float
    probability: float


class Ranked(Answer):
    """The candidates, best first."""

    model: str
    space: str
    candidates: list[RankedCandidate]
    timing_ms: Timing


@router.post("/rank", response_model=Ranked)
async def rank(question: RankQuestion, engine: TheEngine) -> Response:
    """Scores candidates against the query: a picture against labels, words against sounds."""
    answer = await engine.rank(
        content_of(question.query),
        [content_of(candidate) for candidate in question.candidates],
        model=question.model,
    )
    return reply(Ranked.model_validate(answer))
