"""What the teachers themselves reach in their joint space: the most that students can copy."""

from collections.abc import Sequence

import numpy as np
import torch

from embedder.base import Vectors
from embedder.training.joint import Outputs
from embedder.training.shards import ShardItem
from embedder.training.space import TeacherSpace, audio_features, image_features
from embedder.training.teachers.text import MiniLM


class TeacherVectors:
    """Vectors of the joint space, for `embedder.evaluate.judge`; it knows the outputs' items."""

    def __init__(self, space: TeacherSpace, outputs: Outputs) -> None:
        self._space, self._outputs = space, outputs
        self._sentences = MiniLM()
        self._pictures = {item.key: row for row, item in enumerate(outputs.pictures)}
        self._clips = {item.key: row for row, item in enumerate(outputs.clips)}

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Vectors:
        """Returns one unit vector a text, of the text teacher."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            sentences = self._sentences.embed(texts)
        return np.asarray(self._space.text_map(torch.from_numpy(sentences)), dtype=np.float32)

    @torch.inference_mode()
    def items(self, items: Sequence[ShardItem]) -> Vectors:
        """Returns one unit vector an item, of the image teachers or of the sound teacher."""
        if items[0].modality == "image":
            rows, view = [self._pictures[i.key] for i in items], self._outputs.views[0]
            features = image_features(view.v1[rows], view.v2[rows], view.logits[rows])
            vectors = self._space.image_head(features)
        else:
            rows, heard = [self._clips[i.key] for i in items], self._outputs.heard
            features = audio_features(heard.mean[rows], heard.max[rows], heard.scores[rows])
            vectors = self._space.audio_head(features)
        return np.asarray(vectors, dtype=np.float32)
