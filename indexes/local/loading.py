"""From the ledger to indexes: segments are mapped, and what they lack is read from the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from indexes.derived.heap import give_back
from indexes.derived.partition import Layout, Partition
from indexes.derived.segment import Segment, uncovered
from indexes.derived.threads import Helpers
from indexes.local.changes import Revision
from indexes.local.shelf import Shelf
from indexes.truth import dead, vectors
from indexes.truth.ledger import sequence


@dataclass(frozen=True, slots=True)
class Loader:
    """Makes the indexes of one collection.

    Attributes:
        dim: Length of its vectors.
        layout: How many rows are kept how.
        helpers: Threads that help searches along.
        shelf: Where its segments are.
    """

    dim: int
    layout: Layout
    helpers: Helpers
    shelf: Shelf

    def empty(self) -> Partition:
        """Returns a partition without rows."""
        return Partition.empty(self.dim, self.layout, self.helpers)

    def revision(self, connection: Connection) -> tuple[Revision, list[int]]:
        """Returns what the connection sees, and the numbers of damaged vectors.

        Sweeps out files that serve nobody, such as those of a build that was cut off.
        """
        segments = self.shelf.opened(connection)
        self.shelf.sweep(segment.folder.name for some in segments.values() for segment in some)
        damaged, partitions = list[int](), dict[str, Partition]()
        for modality in sorted({*vectors.modalities(connection), *segments}):
            partitions[modality], unread = self.partition(
                connection, modality, segments.get(modality, ())
            )
            damaged += unread
        give_back()
        return Revision(sequence(connection), partitions), damaged

    def partition(
        self, connection: Connection, modality: str, segments: Sequence[Segment]
    ) -> tuple[Partition, list[int]]:
        """Returns a modality as the connection sees it, and the numbers of damaged vectors.

        Args:
            connection: Sees one unchanging state.
            modality: Which.
            segments: Those of its segments that can be used.
        """
        partition, damaged = self.empty(), list[int]()
        for after, upto in uncovered(segments) if segments else [(0, None)]:
            for block in vectors.blocks(connection, self.dim, modality, after, upto):
                partition = partition.add(block.keys, block.vectors)
                damaged += block.damaged
        if segments:
            partition = partition.with_segments(segments)
            partition = partition.remove(dead.read(connection, modality))
        return partition, damaged
