"""How true a model of torch's stays when it goes on in a lower precision."""

from collections.abc import Callable

from embedder.base import Embedder
from embedder.models.mini_probes import probes
from embedder.runtime.base import Placement
from embedder.runtime.fidelity import least_of, require_fidelity


def lowered(model: Embedder, lower: Callable[[], None], how: Placement) -> float:
    """Lowers a model's precision and returns the least cosine of its vectors to those before.

    Args:
        model: In float32.
        lower: Makes it compute in the lower precision.
        how: Says what is near enough.

    Raises:
        Unfaithful: If the cosine is too low.
    """
    items = [model.prepare(item) for of in sorted(model.modalities) for item in probes()[of]]
    exact = model.encode(items)
    lower()
    fidelity = least_of(model.encode(items), exact)
    require_fidelity(f"{model.name} in {model.precision}", fidelity, how)
    return fidelity
