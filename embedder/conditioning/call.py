"""The call that a generator is driven by, told so that a reader can paste it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from embedder.conditioning.profile import Profile

FILE = "out.safetensors"
"""Where a snippet reads the tensors."""

_READ = f"""from safetensors.numpy import load_file

vectors = load_file("{FILE}")["vectors"]  # a unit vector a row"""

_DEMO = """from PIL import Image

from embedder.conditioning.generator.sampler import Generator

pictures = Generator.load().sample(vectors)
Image.fromarray(pictures[0]).save("out.png")"""

Options = Mapping[str, int | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a pipeline is called with the tensors.

    Attributes:
        library: What the class is imported from; empty where nothing is called.
        class_name: The pipeline.
        arguments: Names of tensors, by keyword of the call; a tuple where the call takes a list.
        options: Other keywords and their values, e.g. `noise_level`; None where a keyword that is
            not used can't be left out.
        needs: What else the call wants, each a phrase.
        snippet: Python that reads the tensors from `out.safetensors` and makes pictures.
    """

    library: str
    class_name: str
    arguments: Mapping[str, str | tuple[str, ...]]
    options: Options = field(default_factory=lambda: MappingProxyType({}))
    needs: tuple[str, ...] = ()
    snippet: str = ""


def call_of(profile: Profile, names: Sequence[str], options: Options, rows: int = 1) -> Call:
    """Returns the call of a target.

    Args:
        profile: The target.
        names: Of the tensors that there are; without guidance, a target takes fewer.
        options: Other keywords and their values.
        rows: Conditions in the tensors; a prompt is wanted for each.
    """
    arguments = {
        argument.name: (argument.name,) if argument.listed else argument.name
        for argument in profile.arguments
        if argument.name in names
    }
    return Call(
        library=profile.library,
        class_name=profile.class_name,
        arguments=arguments,
        options=options,
        needs=profile.needs,
        snippet=_snippet(profile, arguments, options, rows),
    )


def reading(snippet: str, path: str) -> str:
    """Returns a snippet that reads another file than `FILE`, in the format that its name says."""
    if not path.endswith(".npz"):
        return snippet.replace(FILE, path)
    arrays = f'np.load("{path}")'
    tensors = f"{{name: torch.from_numpy(each) for name, each in {arrays}.items()}}"
    for old, new in (
        ("from safetensors.numpy import load_file", "import numpy as np"),
        ("from safetensors.torch import load_file", "import numpy as np"),
        (f'tensors = load_file("{FILE}")', f"tensors = {tensors}"),
        (f'load_file("{FILE}")', arrays),
    ):
        snippet = snippet.replace(old, new)
    return snippet


def _snippet(
    profile: Profile, arguments: Mapping[str, str | tuple[str, ...]], options: Options, rows: int
) -> str:
    if profile.library != "diffusers":
        return _READ if not profile.library else f"{_READ}\n{_DEMO}"
    prompt = {"prompt": repr([""] * rows)} if profile.prompted else {}
    tensors = {
        keyword: f'[tensors["{name[0]}"]]' if isinstance(name, tuple) else f'tensors["{name}"]'
        for keyword, name in arguments.items()
    }
    others = {keyword: repr(value) for keyword, value in options.items()}
    lines = (f"    {keyword}={value}," for keyword, value in (prompt | tensors | others).items())
    return "\n".join(
        (
            "import torch",
            f"from diffusers import {profile.class_name}",
            "from safetensors.torch import load_file",
            "",
            'device = "cuda" if torch.cuda.is_available() else "cpu"',
            f'pipe = {profile.class_name}.from_pretrained("{profile.checkpoint}").to(device)',
            *profile.prepare,
            f'tensors = load_file("{FILE}")',
            "tensors = {name: tensor.to(device, pipe.dtype) for name, tensor in tensors.items()}",
            "made = pipe(",
            *lines,
            ")",
            *_kept(profile),
        )
    )


def _kept(profile: Profile) -> tuple[str, ...]:
    """A prior makes no picture, but what its decoder takes."""
    if profile.class_name == "StableCascadePriorPipeline":
        return ("image_embeddings = made.image_embeddings  # for StableCascadeDecoderPipeline",)
    return ('made.images[0].save("out.png")',)
