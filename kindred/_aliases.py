"""The calls about aliases, and about the name that becomes one. See `kindred._calls`."""

from dataclasses import KW_ONLY, dataclass

from kindred._answers import Collection
from kindred._calls import Call


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that stands for a collection, and is taken wherever one is named.

    Attributes:
        previous: What it stood for before, in the answer to a change; None if for nothing.
    """

    name: str
    collection: str
    previous: str | None = None


@dataclass(frozen=True)
class SetAlias(Call[Alias]):
    """Makes an alias stand for a collection, in one step, whether or not there was one.

    Args:
        name: The alias: 1 to 63 lower-case letters, digits, - or _, starting with a letter or
            digit.
        collection: What it is to stand for.
        expected: The collection that it must stand for by now, if for any; none means any.

    Raises:
        NotFound: If there is no such collection.
        Conflict: If a collection has the alias's name, or it stands for another than expected.
    """

    name: str
    collection: str
    _: KW_ONLY
    expected: str | None = None


@dataclass(frozen=True)
class ListAliases(Call[tuple[Alias, ...]]):
    """Returns every alias, by name."""


@dataclass(frozen=True)
class DeleteAlias(Call[None]):
    """Deletes an alias; the collection stays.

    Raises:
        NotFound: If there is none of this name.
    """

    name: str


@dataclass(frozen=True)
class RenameCollection(Call[Collection]):
    """Gives a collection another name; the old one stays, as an alias of it.

    So nobody is to be pointed elsewhere, and the alias can be, to another collection one day.

    Args:
        name: The collection.
        new_name: 1 to 63 lower-case letters, digits, - or _, starting with a letter or digit.

    Raises:
        NotFound: If there is none of this name.
        Conflict: If the new name is taken, or a job embeds the collection again.
    """

    name: str
    new_name: str
