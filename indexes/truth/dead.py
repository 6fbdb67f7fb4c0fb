"""The table of the dead: deleted items whose rows still lie in files of an index.

An index that is loaded from its files removes them again; a new file without them lets them go.
"""

import json
import sqlite3
from collections.abc import Iterable

import numpy as np

from indexes.base import Keys


def insert(connection: sqlite3.Connection, modality: str, numbers: Iterable[int]) -> None:
    """Writes down that these items are deleted; to do so twice does no harm."""
    connection.executemany(
        "INSERT OR IGNORE INTO dead VALUES (?,?)", ((int(seq), modality) for seq in numbers)
    )


def read(connection: sqlite3.Connection, modality: str) -> Keys:
    """Returns the numbers of the dead of a modality, in order.

    No number is used twice: an item that is there is not dead, whatever a damaged row says.
    """
    rows = connection.execute(
        "SELECT seq FROM dead WHERE modality = ? AND seq NOT IN (SELECT seq FROM item) "
        "ORDER BY seq",
        (modality,),
    )
    return np.fromiter((seq for (seq,) in rows), dtype=np.int64)


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Lets go of those that no file holds any more."""
    connection.execute(
        "DELETE FROM dead WHERE seq IN (SELECT value FROM json_each(?))",
        (json.dumps([int(seq) for seq in numbers]),),
    )


def clear(connection: sqlite3.Connection) -> None:
    """Lets go of all: there are no files."""
    connection.execute("DELETE FROM dead")
