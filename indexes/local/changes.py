"""Changes to a collection, and what several, made one after another, come to in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection

import numpy as np
from numpy.typing import NDArray

from indexes.base import Keys
from indexes.derived.partition import Partition
from indexes.filters.language import microseconds
from indexes.item import Item
from indexes.truth import dead, records, windows
from indexes.truth.ledger import write_sequence


@dataclass(frozen=True, slots=True, eq=False)
class Upsert:
    """Items to store, by id, the last of those with one id.

    Attributes:
        now: When those are created whose id is new, in microseconds since 1970.
    """

    items: Mapping[str, Item]
    now: int

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Delete:
    """Ids to delete, each once."""

    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


Change = Upsert | Delete

Deleted = tuple[str, ...]
"""What a change comes to: the ids of a deletion that there were."""


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """The indexes as they are after one change; its number names the same state in SQLite."""

    sequence: int
    partitions: Mapping[str, Partition]

    def is_exact(self) -> bool:
        """Returns whether every search is exact."""
        return all(partition.is_exact() for partition in self.partitions.values())


@dataclass(slots=True)
class Outcome:
    """What changes come to.

    Attributes:
        arriving: Items to store, by id, each with the time of its creation, in order.
        deleted: What each change deleted.
    """

    arriving: dict[str, tuple[int, Item]] = field(default_factory=dict)
    deleted: list[Deleted] = field(default_factory=list)


def make(
    connection: Connection,
    before: Revision,
    changes: Sequence[Change],
    empty: Callable[[], Partition],
) -> tuple[Revision, list[Deleted]]:
    """Writes changes; returns the indexes as they will then be, and what each change deleted.

    Args:
        connection: Lent for one transaction.
        before: The indexes as they are.
        changes: What is to happen, in this order.
        empty: Makes the index of a modality that has had no items.
    """
    mentioned = {item_id: None for change in changes for item_id in _ids(change)}
    old = records.find(connection, mentioned)
    outcome = outcome_of(changes, {one: stored.created for one, stored in old.items()})
    transition = _Transition(connection, before, empty)
    transition.remove(old.values())  # an id that was mentioned is deleted or replaced
    transition.insert(outcome.arriving.values())
    write_sequence(connection, transition.sequence)
    return Revision(transition.sequence, transition.partitions), outcome.deleted


def _ids(change: Change) -> Iterable[str]:
    return change.ids if isinstance(change, Delete) else change.items


def outcome_of(changes: Sequence[Change], stored: Mapping[str, int]) -> Outcome:
    """Returns what changes come to, made one after another.

    Args:
        changes: In the order in which they are made.
        stored: The ids they mention that are stored, and when those items were created.
    """
    created = dict(stored)
    outcome = Outcome()
    for change in changes:
        if isinstance(change, Delete):
            found = tuple(item_id for item_id in change.ids if item_id in created)
            for item_id in found:
                del created[item_id]
                outcome.arriving.pop(item_id, None)
            outcome.deleted.append(found)
            continue
        for item_id, item in change.items.items():
            given = None if item.created is None else microseconds(item.created)
            created[item_id] = created.get(item_id, change.now) if given is None else given
            outcome.arriving.pop(item_id, None)  # what is stored again moves to the end
            outcome.arriving[item_id] = (created[item_id], item)
        outcome.deleted.append(())
    return outcome


class _Transition:
    """From one revision to the next, in SQLite and in the indexes alike."""

    def __init__(
        self, connection: Connection, before: Revision, empty: Callable[[], Partition]
    ) -> None:
        self.sequence = before.sequence
        self.partitions = dict(before.partitions)
        self._connection = connection
        self._empty = empty

    def remove(self, stored: Iterable[records.Stored]) -> None:
        """Deletes items; the deletion takes a number, so that it too makes a new revision."""
        by_modality: defaultdict[str, list[int]] = defaultdict(list)
        for seq, modality, _ in stored:
            by_modality[modality].append(seq)
        if not by_modality:
            return
        self.sequence += 1
        for modality, numbers in by_modality.items():
            records.remove(self._connection, numbers)
            windows.remove(self._connection, numbers)
            keys, partition = np.sort(np.array(numbers)), self._partition(modality)
            dead.insert(self._connection, modality, keys[_in_files(partition, keys)])
            self.partitions[modality] = partition.remove(keys)

    def insert(self, items: Iterable[tuple[int, Item]]) -> None:
        """Stores items under new numbers; each comes with the time of its creation."""
        numbered = [
            (number, created, item)
            for number, (created, item) in enumerate(items, start=self.sequence + 1)
        ]
        self.sequence += len(numbered)
        rows = records.insert(self._connection, numbered)
        windows.insert(
            self._connection, ((n, item.windows) for n, _, item in numbered if item.windows)
        )
        by_modality: defaultdict[str, list[int]] = defaultdict(list)
        for place, (_, _, item) in enumerate(numbered):
            by_modality[str(item.modality)].append(place)
        for modality, places in by_modality.items():
            keys = np.array([numbered[place][0] for place in places])
            added = self._partition(modality).add(keys, rows.take(places, axis=0))
            self.partitions[modality] = added

    def _partition(self, modality: str) -> Partition:
        if modality not in self.partitions:
            self.partitions[modality] = self._empty()
        return self.partitions[modality]


def _in_files(partition: Partition, keys: Keys) -> NDArray[np.bool_]:
    """Returns which of these keys files of segments may hold."""
    held = np.zeros(len(keys), dtype=np.bool_)
    for segment in partition.segments:
        held |= (segment.covers.after < keys) & (keys <= segment.covers.upto)
    return held
