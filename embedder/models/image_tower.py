"""The image tower of kindred-mini: a MobileNetV2-shaped trunk and a two-layer head.

The classes are open_clip's and timm's; what is ours is the name in timm's registry and the padding.
Sources: MobileNetV2, arXiv:1801.04381; `TimmModel`, open_clip.
"""

from dataclasses import dataclass
from typing import Any

from torch import nn

from embedder.features.image import SIZE
from embedder.models.open_clip_import import import_open_clip

import_open_clip()

from open_clip.timm_model import TimmModel  # noqa: E402  (timm can't be imported before open_clip)
from timm.models import generate_default_cfgs, register_model  # noqa: E402
from timm.models.efficientnet import _gen_mobilenet_v2  # noqa: E402

TRUNK = "kindred_mobilenetv2"

default_cfgs = generate_default_cfgs(
    {
        f"{TRUNK}.untrained": {
            "input_size": (3, SIZE, SIZE),
            "pool_size": (7, 7),
            "num_classes": 1000,
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "interpolation": "bicubic",
            "first_conv": "conv_stem",
            "classifier": "classifier",
        }
    }
)


@register_model  # type: ignore[untyped-decorator]
def kindred_mobilenetv2(pretrained: bool = False, **settings: Any) -> nn.Module:  # noqa: ANN401
    """Makes the trunk, padded as TensorFlow's "SAME" is: its maps line up with the teacher's."""
    settings.setdefault("bn_eps", 1e-3)
    trunk: nn.Module = _gen_mobilenet_v2(
        TRUNK, 1.0, pad_type="same", pretrained=pretrained, **settings
    )
    return trunk


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Sizes of the tower.

    Attributes:
        dim: Length of a vector.
    """

    dim: int = 384


class ImageTower(TimmModel):  # type: ignore[misc]
    """Pictures, float32 (n, 3, 224, 224) in [-1, 1], to vectors (n, dim) of any norm."""

    def __init__(self, shape: ImageShape) -> None:
        super().__init__(TRUNK, shape.dim, image_size=SIZE, proj="mlp", proj_bias=True)
