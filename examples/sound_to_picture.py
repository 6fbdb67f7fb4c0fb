"""A sound becomes a picture: kindred-mini, a condition, a diffusers pipeline, a file.

    python examples/sound_to_picture.py rain.wav -o rain.png --pipeline DIR --adapters DIR

DIR of --pipeline is what `save_pretrained` wrote of StableUnCLIPImg2ImgPipeline, or its name on the
Hub; DIR of --adapters is where `kindred profile fit` has put what leads from kindred-mini to the
encoder of that pipeline. Without --pipeline a small one of random weights takes its place, and an
adapter fitted to random pairs: the picture is then noise, made by the calls that a real one is.

Needs `pip install 'kindred[generate]'`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from embedder import catalog
from embedder.base import Embedder, EmbeddingSpace
from embedder.conditioning.bridge_file import find_bridges
from embedder.conditioning.condition import Conditioned, Input, Request
from embedder.conditioning.conditioner import Conditioner, Served
from embedder.conditioning.driving import keywords
from embedder.conditioning.fitting import Pairs, fit_adapter
from embedder.conditioning.installed import Adapters
from embedder.conditioning.profile import Holds
from embedder.conditioning.profiles import find_profile
from embedder.decode import decode_audio
from embedder.media import Modality
from embedder.models.open_clip_import import import_open_clip
from embedder.runtime.base import Placement

PROFILE = find_profile("sd21-unclip-h")


def condition(sound: Path, model: Embedder, adapters: Path, seed: int) -> Conditioned:
    """Returns what the pipeline is to listen to."""
    vector = model.embed([decode_audio(sound.read_bytes())])[0]
    conditioner = Conditioner(
        Served(space=model.space, encoder=model.name), find_bridges(model.space), Adapters(adapters)
    )
    inputs = (Input(vector, Modality.AUDIO),)
    return conditioner.condition(Request(inputs=inputs, profile=PROFILE.id, seed=seed))


def picture(pipe: Any, heard: Conditioned, steps: int) -> Any:  # noqa: ANN401 - of diffusers and Pillow
    """Returns the pipeline's picture, the same for the same condition."""
    dealer = torch.Generator("cpu").manual_seed(heard.seed)
    call = keywords(heard, pipe, prompt="", num_inference_steps=steps, generator=dealer)
    return pipe(**call).images[0]


def random_pipeline() -> Any:  # noqa: ANN401 - of diffusers
    """Returns the pipeline with random weights: true conditioning widths, tiny everything else."""
    import diffusers
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
        StableUnCLIPImageNormalizer,
    )

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return diffusers.StableUnCLIPImg2ImgPipeline(
            **random_encoders(),
            image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=PROFILE.dim),
            image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            unet=diffusers.UNet2DConditionModel(
                sample_size=16,
                block_out_channels=(8, 16),
                norm_num_groups=4,
                layers_per_block=1,
                attention_head_dim=4,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                cross_attention_dim=1024,
                class_embed_type="projection",
                projection_class_embeddings_input_dim=2 * PROFILE.dim,
            ),
            scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
            vae=diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4),
        )


def random_encoders() -> dict[str, Any]:
    """Returns what reads pictures and prompts, with random weights."""
    import transformers as library

    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{one}</w>" for one in letters)]
    small = {"intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    sees = library.CLIPVisionConfig(
        hidden_size=8, image_size=4, patch_size=2, projection_dim=PROFILE.dim, **small
    )
    reads = library.CLIPTextConfig(
        vocab_size=len(words), hidden_size=1024, bos_token_id=0, eos_token_id=1, **small
    )
    vocabulary = {word: number for number, word in enumerate(words)}
    return {
        "feature_extractor": library.CLIPImageProcessor(),
        "image_encoder": library.CLIPVisionModelWithProjection(sees),
        "tokenizer": library.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77),
        "text_encoder": library.CLIPTextModel(reads),
    }


def random_adapter(space: EmbeddingSpace, folder: Path) -> None:
    """Installs an adapter to nowhere in particular."""
    dealer = np.random.default_rng(0)
    sources = dealer.standard_normal((200, space.dim)).astype(np.float32)
    targets = sources @ dealer.standard_normal((space.dim, PROFILE.dim)).astype(np.float32)
    targets *= PROFILE.norm / np.linalg.norm(targets, axis=1, keepdims=True)
    pairs = Pairs(sources, {Holds.CONDITION: targets})
    Adapters(folder).install(fit_adapter(PROFILE, space, pairs))


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("sound", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("out.png"))
    parser.add_argument("--pipeline", help="default: a small one of random weights")
    parser.add_argument("--adapters", type=Path, default=Path("kindred-data/.adapters"))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)

    import_open_clip()  # lets torchvision, which diffusers imports, be where only its half works
    from diffusers import StableUnCLIPImg2ImgPipeline

    model = catalog.load(how=Placement(runtime="torch"))
    with TemporaryDirectory() as scratch:
        if asked.pipeline:
            pipe = StableUnCLIPImg2ImgPipeline.from_pretrained(asked.pipeline)
        else:
            pipe, asked.adapters = random_pipeline(), Path(scratch)
            random_adapter(model.space, asked.adapters)
        heard = condition(asked.sound, model, asked.adapters, asked.seed)
    picture(pipe, heard, asked.steps).save(asked.output)


if __name__ == "__main__":
    main()
