"""`kindred rescue`: what can be read of a damaged collection, as a new one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.refusal import FAILED
from service.cli.show import answers, complain

if TYPE_CHECKING:
    from indexes.truth.rescue import Rescued

MOST_LISTED = 100
"""Items that are lost which are named one by one."""


def rescue(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", exists=True, file_okay=False, help="Folder of the collections."
        ),
    ],
    name: Annotated[
        str, typer.Argument(metavar="DAMAGED", help="The damaged collection; it is only read.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="NEW", help="Name of the new collection, in the same folder.")
    ],
) -> None:
    """Copies every item of a damaged collection that is as it was stored to a new collection.

    Names what is lost; the status is then 1. No server may use the folder meanwhile.

    For example:

        kindred rescue kindred-data photos photos-rescued
    """
    rescued = _rescue(folder, name, target)
    for item_id in rescued.lost[:MOST_LISTED]:
        complain(f"{item_id}: cannot be read")
    for item_id in rescued.without_content[:MOST_LISTED]:
        complain(f"{item_id}: its media cannot be read, all else is saved")
    for item_id in rescued.without_windows[:MOST_LISTED]:
        complain(f"{item_id}: its windows cannot be read, all else is saved")
    for fact in rescued.facts:
        complain(f"its {fact} cannot be read, and is guessed")
    for first, last in rescued.gaps:
        complain(f"nothing can be read of items that were stored as number {first} to {last}")
    answers().print(
        f"{target}: {rescued.items:,} items saved, {len(rescued.lost):,} known to be lost"
    )
    if any((rescued.lost, rescued.without_content, rescued.without_windows, rescued.gaps)):
        raise typer.Exit(FAILED)
    if rescued.facts:
        raise typer.Exit(FAILED)


def _rescue(folder: Path, name: str, target: str) -> "Rescued":
    from indexes.local.folder import FolderStore
    from indexes.local.tuning import Tuning
    from indexes.store import check_name
    from indexes.truth.rescue import rescue as copied

    check_name(name)
    check_name(target)
    with FolderStore(folder, Tuning(background=False)):  # keeps others out
        return copied(folder / name, folder / target)
