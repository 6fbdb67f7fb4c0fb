"""What sounds are bound to: texts, class names and pictures in the teachers' joint space."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from embedder.training.audio_recipe import BindRecipe
from embedder.training.binding import Anchors, Hearings, odds_of, sound_picture_table
from embedder.training.joint import Outputs, class_names
from embedder.training.shards import ShardItem, is_held_out
from embedder.training.space import TeacherSpace, image_features
from embedder.training.texts import SOUND_TEMPLATES

_NAME_TEMPLATES = ("{}", "the sound of {}")
_PHRASES = 32
_CHUNK = 1024


@torch.no_grad()
def make_anchors(
    outputs: Outputs,
    space: TeacherSpace,
    names: Sequence[Sequence[str]],
    pairs: Sequence[tuple[str, str]],
    recipe: BindRecipe,
) -> Anchors:
    """Returns the anchors, of clips and pictures that are not held out.

    Args:
        outputs: The teachers' outputs.
        space: The teachers' joint space.
        names: Synonyms of each of the sound teacher's classes.
        pairs: (sound label, image key): what goes together.
        recipe: Says which labels are too alike to be told apart.
    """
    clips = known(outputs.clips)
    labels = label_names(clips)
    sentences = outputs.sentences
    plain = sentences(labels)
    sets = {(item.label, item.dataset) for item in clips}
    datasets = sorted({dataset for _, dataset in sets})
    member = torch.tensor([[(label, d) in sets for d in datasets] for label in labels]).float()
    pictures = known(outputs.pictures)
    return Anchors(
        phrases=_phrases(labels, clips, outputs, space),
        kin=plain @ plain.T >= recipe.kin,
        rivals=member @ member.T > 0,
        names=space.text_map(class_names(names, sentences, _NAME_TEMPLATES)),
        pictures=_picture_vectors(outputs, space),
        shows=torch.from_numpy(sound_picture_table(labels, clips, pictures, pairs)),
    )


def make_hearings(features: Tensor, outputs: Outputs, recipe: BindRecipe) -> Hearings:
    """Returns what was heard in the clips that are not held out.

    Args:
        features: `clip_features` of exactly those clips, in order.
        outputs: The teachers' outputs.
        recipe: Says how often each clip is drawn.
    """
    clips = known(outputs.clips)
    rows = {label: row for row, label in enumerate(label_names(clips))}
    keep = [row for row, item in enumerate(outputs.clips) if not is_held_out(item)]
    return Hearings(
        features=features,
        labels=torch.tensor([rows[item.label or ""] for item in clips]),
        scores=torch.from_numpy(outputs.heard.scores[keep]),
        odds=odds_of(clips, recipe),
    )


def known(items: Sequence[ShardItem]) -> list[ShardItem]:
    """Returns the items that are not held out."""
    return [item for item in items if not is_held_out(item)]


def label_names(clips: Sequence[ShardItem]) -> list[str]:
    """Returns the clips' labels, sorted."""
    return sorted({item.label or "" for item in clips})


def _phrases(
    labels: Sequence[str], clips: Sequence[ShardItem], outputs: Outputs, space: TeacherSpace
) -> Tensor:
    """Returns each label in every template and its synonyms in the first few, (labels, 32, dim)."""
    synonyms: dict[str, set[str]] = {label: set() for label in labels}
    for item in clips:
        synonyms[item.label or ""].update(item.synonyms)
    rows = []
    for label in labels:
        texts = [template.format(label) for template in SOUND_TEMPLATES]
        others = sorted(synonyms[label])
        texts += [t.format(name) for name in others for t in SOUND_TEMPLATES[:3]]
        vectors = space.text_map(outputs.sentences(texts))
        rows.append(vectors[torch.from_numpy(np.resize(np.arange(len(texts)), _PHRASES))])
    return torch.stack(rows)


def _picture_vectors(outputs: Outputs, space: TeacherSpace) -> Tensor:
    """Returns the joint space's vectors of the whole pictures that are not held out."""
    rows = np.array([i for i, item in enumerate(outputs.pictures) if not is_held_out(item)])
    view = outputs.views[0]
    parts = [
        space.image_head(image_features(view.v1[r], view.v2[r], view.logits[r]))
        for r in np.array_split(rows, max(1, len(rows) // _CHUNK))
    ]
    return functional.normalize(torch.cat(parts), dim=1)
