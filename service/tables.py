"""The use cases of Parquet files: items with their vectors, out of a collection and into one."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from embedder.media import Modality
from indexes.collection import Collection
from indexes.errors import CollectionNotFound, SpaceMismatch
from indexes.progress import Progress, silent
from indexes.store import Store
from service.messages import NewCollection
from service.models import Models
from service.settings import Settings

if TYPE_CHECKING:
    from indexes.parquet import Imported


_MODALITIES = frozenset(str(modality) for modality in Modality)


class Tables:
    """What is asked of Parquet files, by those alone who run this process.

    Needs pyarrow: without it every method raises ModuleNotFoundError.

    Args:
        store: Where the collections are.
        models: Whose vectors may be taken in.
        settings: What collections are created with.
    """

    def __init__(self, store: Store, models: Models, settings: Settings) -> None:
        self._store = store
        self._models = models
        self._settings = settings

    async def export(self, collection: str, path: Path, progress: Progress = silent) -> int:
        """Writes every item to a file, and returns how many there are.

        Raises:
            CollectionNotFound: If there is none of this name.
            StorageError: If the file cannot be written.
        """
        from indexes import parquet

        def exported() -> int:
            opened = self._store.open(self._store.resolve(collection))
            return parquet.export(opened, path, progress)

        return await asyncio.to_thread(exported)

    async def import_(
        self,
        path: Path,
        new: NewCollection,
        progress: Progress = silent,
    ) -> "Imported":
        """Stores the rows of a file; a bad one costs itself alone.

        Args:
            path: The file.
            new: Where to; created if there is none, for now without fields. Its model is whose
                vectors they are, for a file that does not say.
            progress: Is told of rows as it goes.

        Raises:
            SpaceMismatch: If the vectors are of a space that no served model makes, or of another
                than the collection's, or nobody says of which.
            ModelNotFound: If the model is not served.
            InvalidItem: If it is no Parquet file, or its columns are others.
        """
        from indexes import parquet

        def imported() -> "Imported":
            said = self._models.named(new.model).info.space if new.model else None
            into = self._into(new, parquet.space_of(path) or said, path)
            return parquet.import_(into, path, progress, space_id=said, modalities=_MODALITIES)

        return await asyncio.to_thread(imported)

    def _into(self, new: NewCollection, space: str | None, path: Path) -> Collection:
        try:
            return self._store.open(self._store.resolve(new.name))
        except CollectionNotFound:
            if space is None:
                raise SpaceMismatch(
                    f"{path.name} does not say which model made its vectors: name it"
                ) from None
            served = self._models.of_space(space, "", f"the file {path.name!r}")
            bare = replace(new, model=None, indexed=())
            return served.create(self._store, bare, self._settings.recall_target)
