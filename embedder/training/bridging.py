"""Fits the bridges of a finished model: what is known of its modalities, and the prior.

Vectors and checkpoints are kept in a folder of the space's name, so that other weights never take
up what belongs to these.
"""

from collections.abc import Sequence
from pathlib import Path

from embedder.base import Embedder
from embedder.conditioning.bridge import Bridges, Fitted
from embedder.conditioning.bridge_file import save_bridges
from embedder.media import Modality
from embedder.training.bridge_pairs import bridge_pairs, embed_training
from embedder.training.export import recipe_digest
from embedder.training.prior import begin_prior, teach_prior
from embedder.training.prior_recipe import PriorRecipe
from embedder.training.shards import ShardItem


def make_bridges(
    embedder: Embedder,
    items: Sequence[ShardItem],
    labels: Sequence[tuple[str, str]],
    path: Path,
    recipe: PriorRecipe,
) -> None:
    """Fits bridges on the items that are not held out and writes their file; run again, it goes on.

    Args:
        embedder: The finished model.
        items: Every item of every shard.
        labels: (sound label, image key): what goes together.
        path: The file; caches go to a folder beside it.
        recipe: The numbers.
    """
    folder = path.parent / "bridges" / embedder.space.id
    embedded = embed_training(embedder, items, folder / "vectors.npz")
    pairs = bridge_pairs(embedded, labels, recipe)
    images = embedded.vectors[embedded.rows(Modality.IMAGE)]
    begun = begin_prior(pairs, images, recipe)
    prior = teach_prior(pairs, begun, recipe, folder / f"prior-{recipe_digest(recipe)[:12]}")
    means = {Modality.TEXT: embedded.text_vectors.mean(axis=0)}
    for modality in (Modality.IMAGE, Modality.AUDIO):
        if rows := embedded.rows(modality):
            means[modality] = embedded.vectors[rows].mean(axis=0)
    save_bridges(Bridges(Fitted(means, prior.lines, prior)), embedder.space, path)
