"""Where the sound tracks of films are copied while files are brought in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from service.decoding.tracks import SoundTracks
from service.ingest.folder import TrackOf, sound_track_here
from service.intake import bounds_of
from service.settings import Settings


@asynccontextmanager
async def track_copier(settings: Settings) -> AsyncIterator[TrackOf]:
    """Yields what copies them: a process that may be ended, unless settings want none.

    When it is left, a copy that is under way is one that nobody waits for any more.
    """
    if not settings.decode_workers:
        yield sound_track_here
        return
    tracks = SoundTracks(replace(bounds_of(settings), niceness=settings.bulk_niceness))
    try:
        yield tracks.of
    finally:
        tracks.abandon()
        await asyncio.to_thread(tracks.end)
