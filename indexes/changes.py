"""Changes to a collection, and what several, made one after another, come to in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection

import numpy as np

from indexes import records
from indexes.base import Index, Vectors, half
from indexes.filters import microseconds
from indexes.flat import FlatIndex
from indexes.item import Item
from indexes.ledger import write_sequence


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


@dataclass(frozen=True, slots=True)
class State:
    """The indexes as they are after one change; its number names the same state in SQLite."""

    sequence: int
    indexes: Mapping[str, Index]


@dataclass(slots=True)
class _Outcome:
    """What changes come to.

    Attributes:
        arriving: Items to store, by id, each with the time of its creation, in order.
        deleted: What each change deleted.
    """

    arriving: dict[str, tuple[int, Item]] = field(default_factory=dict)
    deleted: list[Deleted] = field(default_factory=list)


def make(
    connection: Connection, before: State, changes: Sequence[Change]
) -> tuple[State, list[Deleted]]:
    """Writes changes; returns the indexes as they will then be, and what each change deleted."""
    mentioned = {item_id: None for change in changes for item_id in _ids(change)}
    old = records.find(connection, mentioned)
    outcome = _outcome(changes, old)
    transition = _Transition(connection, before)
    transition.remove(old.values())  # an id that was mentioned is deleted or replaced
    transition.insert(outcome.arriving.values())
    write_sequence(connection, transition.sequence)
    return State(transition.sequence, transition.indexes), outcome.deleted


def _ids(change: Change) -> Iterable[str]:
    return change.ids if isinstance(change, Delete) else change.items


def _outcome(changes: Sequence[Change], old: Mapping[str, records.Stored]) -> _Outcome:
    created = {item_id: stored.created for item_id, stored in old.items()}
    outcome = _Outcome()
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
    """From one state to the next, in SQLite and in the indexes alike."""

    def __init__(self, connection: Connection, before: State) -> None:
        self.sequence = before.sequence
        self.indexes = dict(before.indexes)
        self._connection = connection

    def remove(self, stored: Iterable[records.Stored]) -> None:
        """Deletes items; the deletion takes a number, so that it too makes a new state."""
        by_modality: defaultdict[str, list[int]] = defaultdict(list)
        for seq, modality, _ in stored:
            by_modality[modality].append(seq)
        if not by_modality:
            return
        self.sequence += 1
        for modality, numbers in by_modality.items():
            records.remove(self._connection, numbers)
            self.indexes[modality] = self.indexes[modality].remove(np.sort(np.array(numbers)))

    def insert(self, items: Iterable[tuple[int, Item]]) -> None:
        """Stores items under new numbers; each comes with the time of its creation."""
        numbered = [
            (number, created, item)
            for number, (created, item) in enumerate(items, start=self.sequence + 1)
        ]
        self.sequence += len(numbered)
        records.insert(self._connection, numbered)
        by_modality: defaultdict[str, list[tuple[int, Vectors]]] = defaultdict(list)
        for number, _, item in numbered:
            by_modality[str(item.modality)].append((number, item.vector))
        for modality, rows in by_modality.items():
            vectors = half(np.stack([vector for _, vector in rows])).astype(np.float32)
            index = self.indexes.get(modality) or FlatIndex(vectors.shape[1])
            self.indexes[modality] = index.add(np.array([number for number, _ in rows]), vectors)
