"""Leads vectors of our space to what a target was trained on: by an adapter, or by size alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder.base import unit
from embedder.conditioning.adapter import Adapter
from embedder.conditioning.blending import Apart
from embedder.conditioning.placing import against
from embedder.conditioning.profile import Holds, Profile, Scale, Unconditional
from embedder.errors import AdapterNotFitted

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """From the served space to a target.

    Attributes:
        profile: The target.
        adapter: None where the served space is the target's own.
    """

    profile: Profile
    adapter: Adapter | None

    @property
    def norm(self) -> float:
        """The norm that vectors are brought to; 0 where a projector's output is left as it is."""
        match self.profile.scale:
            case Scale.UNIT:
                return 1.0
            case Scale.FITTED:
                return 0.0
            case Scale.NORM if self.adapter is not None:
                return self.adapter.heads[Holds.CONDITION].norm
            case Scale.NORM:
                return self.profile.norm

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever asked should know of it."""
        if self.profile.scale is Scale.NORM and self.adapter is None:
            return (
                f"the norm {self.profile.norm:g} is nominal: an adapter fitted to the target's own "
                "vectors would know theirs",
            )
        return ()

    def sides(self, vectors: Apart, negatives: Apart | None, guided: bool) -> dict[Holds, Array]:
        """Returns what the target is to listen to, (B, N, *shape of one), by what it is.

        Args:
            vectors: Unit vectors among pictures, (B, N, dim).
            negatives: What to lead away from, (B, 1, dim); None takes the target's own.
            guided: Whether there is to be anything that guidance is measured against.

        Raises:
            AdapterNotFitted: If only an adapter could bring what guidance is measured against.
        """
        led = self._led(vectors)
        if not guided or self.profile.unconditional is Unconditional.INSIDE:
            return led
        asked = {} if negatives is None else self._led(negatives)
        for what in tuple(led):
            side = asked[what] if asked else self._own(what, led[what].shape[2:])
            led[against(what)] = np.broadcast_to(side, led[what].shape)
        return led

    def _led(self, vectors: Apart) -> dict[Holds, Array]:
        flat = vectors.reshape(-1, vectors.shape[-1])
        if self.adapter is None:
            made = {Holds.CONDITION: flat}
        else:
            made = {what: head(flat) for what, head in self.adapter.heads.items()}
        if self.profile.scale is not Scale.FITTED:
            made = {what: np.float32(self.norm) * unit(rows) for what, rows in made.items()}
        return {
            what: rows.reshape(*vectors.shape[:2], *rows.shape[1:]) for what, rows in made.items()
        }

    def _own(self, what: Holds, shape: tuple[int, ...]) -> Array:
        """Returns what a target measures guidance against when nobody asks for something else."""
        if self.adapter is not None:
            return self.adapter.heads[what].negative.reshape(shape)
        if self.profile.unconditional is Unconditional.SHIPPED:
            raise AdapterNotFitted(
                f"{self.profile.id} measures guidance against its encoder's vector of an empty "
                "picture, which only an adapter brings: `kindred profile fit` with --negative, or "
                "ask with cfg off, or with a negative input"
            )
        return np.zeros(shape, dtype=np.float32)
