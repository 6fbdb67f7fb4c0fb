"""From embedded inputs to what a target takes.

inputs --bridge--> among pictures --mix--> (B, N, dim) --lead--> the target's space --place--> call
"""

import secrets
from dataclasses import dataclass, replace

import numpy as np

from embedder.base import EmbeddingSpace, Vectors
from embedder.conditioning.blending import Blend, blend
from embedder.conditioning.bridge import Bridges, Known
from embedder.conditioning.call import Options, call_of
from embedder.conditioning.condition import Conditioned, Diagnostics, Request
from embedder.conditioning.contract import check_shape
from embedder.conditioning.demands import check_request
from embedder.conditioning.density import Density
from embedder.conditioning.installed import Adapters
from embedder.conditioning.leading import Way
from embedder.conditioning.placing import place
from embedder.conditioning.profile import Profile, Unconditional
from embedder.conditioning.profiles import find_profile
from embedder.conditioning.tensors import Tensor
from embedder.errors import AdapterNotFitted
from embedder.media import Modality

SEEDS = 2**31
"""Seeds that are drawn lie below this, which every generator takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The space that inputs come from.

    Attributes:
        space: Id and dimension.
        encoder: Name of the model whose vectors of pictures they are, e.g. "kindred-mini",
            "open_clip:ViT-H-14/laion2b_s32b_b79k" or "imagebind:FILE"; of a model that was taught
            another sense, its base's.
    """

    space: EmbeddingSpace
    encoder: str


class Conditioner:
    """Makes conditions from vectors of one space. Its methods may be called from several threads.

    Args:
        served: The space.
        bridges: Of that space.
        adapters: What leads from it to targets that were trained on other encoders.
        max_vectors: The most inputs, and the most conditions, of one request.
    """

    def __init__(
        self, served: Served, bridges: Bridges, adapters: Adapters, *, max_vectors: int = 64
    ) -> None:
        self.served, self.bridges, self.adapters = served, bridges, adapters
        self.max_vectors = max_vectors

    def ready(self, profile: Profile) -> bool:
        """Returns whether a target can be asked for: served as it is, or by an adapter.

        Raises:
            WeightsError: If an adapter's file is damaged.
        """
        adapter = self.adapters.find(profile.id, self.served.space)
        return adapter is not None or profile.serves(self.served.encoder)

    def condition(
        self, request: Request, known: Known | None = None, density: Density | None = None
    ) -> Conditioned:
        """Makes the tensors of a target's call.

        Args:
            request: What is asked.
            known: What a collection knows of pictures, for bridges that need it.
            density: Of pictures, for the diagnostics.

        Raises:
            ProfileNotFound: If no target has the id.
            AdapterNotFitted: If the target listens to another space, and no adapter is installed.
            BridgeNotFitted: If a bridge was named that the space does not have.
            InputsCancel: If the weighted inputs add up to nothing.
            UnfitForTarget: If a vector is not of the space's dimension, or the target does not take
                what is asked: several vectors, a noise level, a negative.
            ConditioningError: If a number is out of its range, or there are no inputs.
            EncodingFailed: If a vector is zero or not finite.
            WeightsError: If an adapter's file is damaged.
        """
        way = self._way(request)
        profile = way.profile
        seed = secrets.randbelow(SEEDS) if request.seed is None else request.seed
        mixed = blend(replace(request, seed=seed), profile, self.bridges, known)
        tensors = _tensors(way, mixed, request)
        said = (*_notes(request, profile), *way.warnings, *mixed.warnings)
        return Conditioned(
            tensors=tensors,
            call=call_of(profile, tuple(tensors), _options(request, profile), request.num_vectors),
            profile=profile,
            norm=way.norm,
            adapter=way.adapter.card.id if way.adapter else "",
            vectors=mixed.rows,
            per_input=mixed.reports(),
            diagnostics=self._diagnosed(mixed.rows, known or Known(), density),
            bridge_used=", ".join(mixed.bridges),
            seed=seed,
            warnings=tuple(dict.fromkeys(said)),
        )

    def _way(self, request: Request) -> Way:
        """Returns how the served space leads to a target that takes what is asked."""
        profile = find_profile(request.profile)
        check_request(request, profile, self.served.space.dim, self.max_vectors)
        adapter = self.adapters.find(profile.id, self.served.space)
        if adapter is None and not profile.serves(self.served.encoder):
            raise AdapterNotFitted(
                f"{profile.id} listens to {profile.encoder}, and vectors are of "
                f"{self.served.encoder}, space {self.served.space.id}: an adapter must be fitted "
                f"with `kindred profile fit --profile {profile.id}`"
            )
        return Way(profile, adapter)

    def _diagnosed(self, vectors: Vectors, known: Known, density: Density | None) -> Diagnostics:
        fitted = self.bridges.fitted.means.get(Modality.IMAGE)
        mean = known.means.get(Modality.IMAGE, fitted)
        scores = None if density is None else density.score(vectors)
        return Diagnostics(
            None if mean is None else float((vectors @ mean).mean() / np.linalg.norm(mean)),
            None if scores is None else float(scores.density_percentile.mean()),
            None if scores is None else float(scores.residual_percentile.mean()),
        )


def _tensors(way: Way, mixed: Blend, request: Request) -> dict[str, Tensor]:
    """Returns the tensors of the call, held against the target's contract."""
    sides = way.sides(mixed.vectors, mixed.negatives, guided=request.cfg)
    placed = place(way.profile, sides)
    for argument in way.profile.arguments:
        if argument.name in placed:
            check_shape(argument, placed[argument.name].shape, request.cfg)
    return {name: Tensor.of(values, request.dtype) for name, values in placed.items()}


def _options(request: Request, profile: Profile) -> Options:
    """Returns the keywords of the call that are no tensors."""
    options: dict[str, int | float | None] = {}
    if levels := profile.noise_levels:
        pictures = all(one.modality is Modality.IMAGE for one in request.inputs)
        proposed = levels.pictures if pictures else levels.others
        asked = request.noise_level
        options["noise_level"] = proposed if asked is None else asked
    if not request.cfg and profile.library == "diffusers":
        options[profile.guidance] = 1.0
        options |= {argument.name: None for argument in profile.arguments if argument.spelled}
    return options


def _notes(request: Request, profile: Profile) -> tuple[str, ...]:
    """Returns what was done otherwise than one might think."""
    notes = []
    if request.negative_inputs and profile.unconditional is Unconditional.INSIDE:
        notes.append(f"{profile.id} takes no negative vector: negatives were subtracted")
    weights = {one.weight for one in request.inputs}
    if request.mix is request.mix.STACK and weights != {1.0}:
        notes.append("vectors that are kept apart have no weights: theirs were left aside")
    return tuple(notes)
