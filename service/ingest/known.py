"""What a collection has of the files that are listed, and of those that are there no more."""

from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field

from service.errors import InvalidRequest
from service.ingest.folder import OLD, SOUND, Listing, Stamp
from service.messages import StoredItem


@dataclass(slots=True)
class Known:
    """What a collection has of files.

    Attributes:
        stamps: Of each item that is of a file, by id; one whose file is described otherwise by now
            is old.
        sounds: Ids of those that are what is heard of a film.
        gone: Those that came from the folder that is listed, whose files are not in it any more.
        kept: How many came from there, and have their files there still.
        elsewhere: How many are of files that are not listed and, as far as is known, never were.
    """

    stamps: dict[str, Stamp] = field(default_factory=dict)
    sounds: set[str] = field(default_factory=set)
    gone: dict[str, Stamp] = field(default_factory=dict)
    kept: int = 0
    elsewhere: int = 0

    def removable(self) -> Mapping[str, Stamp]:
        """Returns what is gone, unless that is everything.

        Raises:
            InvalidRequest: If nothing is left of all that came from the folder: rather than being
                emptied, it will not be mounted, or another one be in its place.
        """
        if self.gone and not self.kept:
            raise InvalidRequest(
                "prune removes what is gone from a folder that is still there, and of the "
                f"{len(self.gone)} items that came from this one nothing is in it any more: is "
                "its disk mounted? If they are to go, delete them, or their collection"
            )
        return self.gone


async def known_of(items: AsyncIterable[StoredItem], listing: Listing) -> Known:
    """Looks through the items of a collection for those that are of files."""
    known, files = Known(), {file.id: file for file in listing.files}
    async for item in items:
        stamp = Stamp.of(item.metadata)
        if stamp is None:
            continue
        name = _file_id(item)
        if name != item.id:
            known.sounds.add(item.id)
        file = files.get(item.id)
        is_old = file is not None and not file.is_described_by(item.metadata)
        known.stamps[item.id] = OLD if is_old else stamp
        is_listed = name in files or listing.hides(name)
        is_from_here = stamp.indexed_from == listing.origin != ""
        if is_listed:
            known.kept += is_from_here
        elif is_from_here:
            known.gone[item.id] = stamp
        else:
            known.elsewhere += 1
    return known


def _file_id(item: StoredItem) -> str:
    """Returns the id of an item's file: of what is heard of a film, that of the film."""
    film = item.metadata.get("film")
    return film if isinstance(film, str) and item.id == film + SOUND else item.id
