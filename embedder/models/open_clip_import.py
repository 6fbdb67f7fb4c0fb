"""Imports open_clip on any install of torch; it, timm and torchvision are imported after this only.

The torchvision wheel on PyPI is built for CUDA. Beside a CPU-only torch its compiled half does not
load, and `import torchvision`, hence `import open_clip`, dies with `operator torchvision::nms does
not exist`. Its pure-Python half is all that the towers need, and it imports once the schemas exist.
They are declared here only where the compiled half has not done so: whoever declares second fails.
"""

from types import ModuleType

import torch

_library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_open_clip() -> ModuleType:
    """Returns the module `open_clip`."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name, schema in _SCHEMAS.items():
            if not hasattr(torch.ops.torchvision, name):
                _library.define(name + schema)  # type: ignore[no-untyped-call]
    import open_clip

    module: ModuleType = open_clip
    return module
