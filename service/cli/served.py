"""Parquet files of collections on a server."""

from collections.abc import Sequence
from pathlib import Path

import kindred
from indexes import parquet
from indexes.collection import Page
from indexes.errors import InvalidItem, SpaceMismatch
from indexes.item import Item
from indexes.progress import Progress
from indexes.windows import Windows
from service.cli.backend import Server, require_structure
from service.messages import NewCollection

AT_ONCE = 100
"""Items in one request: below every default limit."""


class ServedCollection:
    """See `indexes.parquet.Source`.

    Args:
        client: Asks the server.
        name: Of the collection, which exists.
    """

    def __init__(self, client: kindred.Client, name: str) -> None:
        found = client.get_collection(name)
        self.space_id, self.dim, self.model = found.space, found.dim, found.model
        self._client = client
        self._name = name

    def count(self) -> dict[str, int]:
        """Returns how many items there are of each modality."""
        return dict(self._client.get_collection(self._name).counts)

    def items(self, *, page_size: int = 100, page_token: str = "") -> Page:
        """Returns one page of the items."""
        page = self._client.item_page(
            self._name, page_size=page_size, page_token=page_token, with_vectors=True
        )
        return Page(tuple(map(_item, page.items)), page.next_page_token)

    def windows(self, ids: Sequence[str]) -> dict[str, Windows]:
        """Returns none: a server shows no windows, nor does it take any that it did not make."""
        return {}

    def upsert(self, items: Sequence[Item]) -> None:
        """Stores items; what is answered as stored before one is refused stays.

        Raises:
            InvalidItem: If the server refuses one.
        """
        sent = [
            kindred.ItemInput(kindred.Vector(item.vector, item.modality), item.id, item.metadata)
            for item in items
        ]
        for start in range(0, len(sent), AT_ONCE):
            part = sent[start : start + AT_ONCE]
            for failed in self._client.upsert(self._name, part).failed:
                raise InvalidItem(f"the server refuses {failed.id!r}: {failed.error}")

    def require_space(self, space_id: str) -> None:
        """Makes sure that vectors of a space belong here.

        Raises:
            SpaceMismatch: If they do not.
        """
        if space_id != self.space_id:
            raise SpaceMismatch(
                f"collection {self._name!r} holds vectors of space {self.space_id}, "
                f"got space {space_id}"
            )


def _item(item: kindred.StoredItem) -> Item:
    if item.vector is None:
        raise InvalidItem(f"the server sent no vector of {item.id!r}")
    return Item(item.id, str(item.modality), item.vector, item.metadata, item.created)


def export(server: Server, collection: str, path: Path, progress: Progress) -> int:
    """Writes every item of a server's collection to a file, and returns how many there are."""
    with server.client as client:
        return parquet.export(ServedCollection(client, collection), path, progress)


def import_(server: Server, path: Path, new: NewCollection, progress: Progress) -> parquet.Imported:
    """Stores the rows of a file in a server's collection, which is created if there is none.

    Raises:
        SpaceMismatch: If no served model makes such vectors, or the collection is of another.
        typer.BadParameter: If there is one of another structure.
    """
    with server.client as client:
        said = client.get_model(new.model).space if new.model else None
        into = _into(client, new, parquet.space_of(path) or said)
        kinds = frozenset(map(str, kindred.Modality))
        return parquet.import_(into, path, progress, space_id=said, modalities=kinds)


def _into(client: kindred.Client, new: NewCollection, space: str | None) -> ServedCollection:
    try:
        known = client.get_collection(new.name)
    except kindred.NotFound:
        maker = next((model.name for model in client.models() if model.space == space), None)
        if maker is None:
            raise SpaceMismatch(
                f"the vectors are of {space or 'no space that is said'}, and no served model makes "
                "such: name the model if you know it"
            ) from None
        client.create_collection(new.name, model=maker, structure=new.structure)
    else:
        require_structure(new.name, known.structure, new.structure)
    return ServedCollection(client, new.name)
