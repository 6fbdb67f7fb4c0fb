"""Files of the user as items to store."""

from collections.abc import Iterable
from pathlib import Path

from kindred._calls import Priority, Upsert
from kindred._content import ItemInput, content_of


def upload(
    collection: str,
    files: Iterable[str | Path],
    *,
    windows: bool = False,
    priority: Priority | None = None,
) -> Upsert:
    """Stores files, each with the digest of its content as id and its name as `filename`.

    Args:
        collection: Where to.
        files: Paths of pictures, sounds, films and texts; their names tell which is which. Of a
            film, what is seen is stored.
        windows: As in `upsert`.
        priority: As in `upsert`.

    A bad file costs itself alone: look at `failed` of the answer.
    """
    paths = [Path(file) for file in files]
    return Upsert(
        collection,
        [ItemInput(content_of(path), metadata={"filename": path.name}) for path in paths],
        windows=windows,
        priority=priority,
    )
