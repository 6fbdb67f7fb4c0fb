"""EmbeddingService: contents to vectors, at once or as they come."""

import asyncio
from collections.abc import AsyncIterator

from embedder.errors import EmbedderError
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from service.access.caller import caller
from service.engine import Engine
from service.errors import ServiceError, item_error
from service.rpc import answered, asked
from service.rpc.context import Context

STREAM_WINDOW = 32
"""Contents of one stream in work at a time: enough for a full batch; beyond, the client waits."""


class Embeddings(embeddings_grpc.EmbeddingServiceServicer):
    """EmbeddingService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def Embed(
        self, request: embeddings_pb.EmbedRequest, context: Context
    ) -> embeddings_pb.EmbedResponse:
        """Embeds contents."""
        answer = await self._engine.embed(
            [asked.content(each) for each in request.contents],
            model=asked.optional(request, "model"),
            dimensions=asked.optional(request, "dimensions"),
            on_error=asked.on_error(request.on_error),
            windows=request.windows,
        )
        return answered.embed_response(answer)

    async def EmbedStream(
        self, request_iterator: AsyncIterator[embeddings_pb.EmbedStreamRequest], context: Context
    ) -> None:
        """Embeds contents as they come: many at a time, answered in their order."""
        room = asyncio.Semaphore(STREAM_WINDOW)
        answers = asyncio.Queue[asyncio.Task[embeddings_pb.EmbedStreamResponse] | None]()
        broken: list[ServiceError] = []

        async def read() -> None:
            index = 0
            try:
                async for request in request_iterator:
                    self._engine.guard.require_stay(caller.get())
                    await room.acquire()
                    answers.put_nowait(group.create_task(self._embed_one(index, request)))
                    index += 1
            except ServiceError as error:  # what came before it is answered first
                broken.append(error)
            answers.put_nowait(None)

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            while answer := await answers.get():
                await context.write(await answer)
                room.release()
        if broken:
            raise broken[0]

    async def _embed_one(
        self, index: int, request: embeddings_pb.EmbedStreamRequest
    ) -> embeddings_pb.EmbedStreamResponse:
        try:
            with self._engine.bodies.held() as take:
                take(request.ByteSize())
                answer = await self._engine.embed(
                    [asked.content(request.content)],
                    model=asked.optional(request, "model"),
                    dimensions=asked.optional(request, "dimensions"),
                    windows=request.windows,
                )
        except (ServiceError, EmbedderError) as error:
            result = embeddings_pb.EmbedResult(index=index, error=answered.error(item_error(error)))
            return embeddings_pb.EmbedStreamResponse(result=result)
        return embeddings_pb.EmbedStreamResponse(
            model=answer.model,
            space=answer.space,
            result=answered.embed_result(answer.results[0], index),
        )

    async def Rank(
        self, request: embeddings_pb.RankRequest, context: Context
    ) -> embeddings_pb.RankResponse:
        """Scores candidates against a query."""
        answer = await self._engine.rank(
            asked.content(request.query),
            [asked.content(each) for each in request.candidates],
            model=asked.optional(request, "model"),
        )
        return answered.rank_response(answer)
