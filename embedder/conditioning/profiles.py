"""The targets, one entry each.

Shapes and traps were run against diffusers 0.42.1, with random weights of the true conditioning
widths. That the pictures mean something with the published weights can't be shown offline.
"""

import difflib

from embedder.conditioning.profile import (
    Argument,
    Axis,
    Holds,
    NoiseLevels,
    Profile,
    Scale,
    Unconditional,
)
from embedder.errors import ProfileNotFound

NOMINAL_NORM = 20.0
"""Norm of an un-normalised CLIP vector of a picture, where no adapter has measured the target's.

20.8 was told of one under OpenAI's ViT-L/14 at 336 pixels (clip-retrieval, issue 290). UnCLIP's
noise would bury a unit vector: at level 250, cosine 0.05 is left of it, and 0.81 of one of norm 20.
"""

VIT_H = (
    "imagebind:*",  # its picture tower is this encoder, frozen (arXiv:2305.05665)
    "open_clip:ViT-H-14/laion2b_s32b_b79k",
    "open_clip:hf-hub:laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
)
VIT_L = (
    "open_clip:ViT-L-14/openai",
    "open_clip:ViT-L-14-quickgelu/openai",
    "open_clip:hf-hub:timm/vit_large_patch14_clip_224.openai",
)
VIT_BIGG = (
    "open_clip:ViT-bigG-14/laion2b_s39b_b160k",
    "open_clip:hf-hub:laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",
)

OPEN_CLIP_H = "OpenCLIP ViT-H-14, laion2b_s32b_b79k"
OPENAI_L = "OpenAI CLIP ViT-L-14"
OPEN_CLIP_BIGG = "OpenCLIP ViT-bigG-14, laion2b_s39b_b160k"

_STUB = (
    "an image_encoder in the pipeline: its dtype is read even where image_embeds are given, so a "
    "small CLIPVisionModelWithProjection will do"
)
_WORDS = "a prompt, which may be empty, or prompt_embeds: as many as the tensors have rows"

PROFILES: tuple[Profile, ...] = (
    Profile(
        id="kindred-raw",
        description="Unit vectors of the served space among its pictures, for one's own generator.",
        encoder="the served model",
        dim=0,
        library="",
        arguments=(Argument("vectors", (Axis.BATCH, Axis.DIM)),),
        scale=Scale.UNIT,
        native=("*",),
        most_vectors=64,
    ),
    Profile(
        id="kindred-demo",
        description="The small generator of 64-pixel pictures that `kindred generate` runs.",
        encoder="kindred-mini",
        dim=384,
        library="kindred",
        class_name="Generator",
        arguments=(Argument("vectors", (Axis.BATCH, Axis.DIM)),),
        scale=Scale.UNIT,
        native=("kindred-mini",),
        needs=("kindred, which brings the weights",),
    ),
    Profile(
        id="sd21-unclip-h",
        description="Stable Diffusion 2.1 unCLIP, the checkpoint of ViT-H.",
        encoder=OPEN_CLIP_H,
        dim=1024,
        class_name="StableUnCLIPImg2ImgPipeline",
        checkpoint="stabilityai/stable-diffusion-2-1-unclip",
        arguments=(Argument("image_embeds", (Axis.BATCH, 1024)),),
        norm=NOMINAL_NORM,
        native=VIT_H,
        noise_levels=NoiseLevels(),
        components=("image_encoder",),
        prompted=True,
        needs=(_STUB, _WORDS),
    ),
    Profile(
        id="sd21-unclip-l",
        description="Stable Diffusion 2.1 unCLIP, the checkpoint of ViT-L, whose own normalizer "
        "holds mean and std.",
        encoder=OPENAI_L,
        dim=768,
        class_name="StableUnCLIPImg2ImgPipeline",
        checkpoint="stabilityai/stable-diffusion-2-1-unclip-small",
        arguments=(Argument("image_embeds", (Axis.BATCH, 768)),),
        norm=NOMINAL_NORM,
        native=VIT_L,
        noise_levels=NoiseLevels(),
        components=("image_encoder",),
        prompted=True,
        needs=(_STUB, _WORDS),
    ),
    Profile(
        id="karlo-variation",
        description="Karlo, the variation pipeline of unCLIP.",
        encoder=OPENAI_L,
        dim=768,
        class_name="UnCLIPImageVariationPipeline",
        guidance="decoder_guidance_scale",
        checkpoint="kakaobrain/karlo-v1-alpha-image-variations",
        arguments=(Argument("image_embeddings", (Axis.BATCH, 768)),),
        norm=NOMINAL_NORM,
        native=VIT_L,
        components=("image_encoder", "tokenizer", "text_encoder"),
        needs=("tokenizer and text_encoder: the pipeline encodes an empty prompt by itself",),
    ),
    Profile(
        id="kandinsky22",
        description="The decoder of Kandinsky 2.2.",
        encoder=OPEN_CLIP_BIGG,
        dim=1280,
        class_name="KandinskyV22Pipeline",
        checkpoint="kandinsky-community/kandinsky-2-2-decoder",
        arguments=(
            Argument("image_embeds", (Axis.BATCH, 1280)),
            Argument("negative_image_embeds", (Axis.BATCH, 1280), Holds.NEGATIVE, spelled=True),
        ),
        unconditional=Unconditional.SHIPPED,
        norm=NOMINAL_NORM,
        native=VIT_BIGG,
    ),
    Profile(
        id="ip-adapter-sd15",
        description="IP-Adapter for Stable Diffusion 1.5, the base one (not Plus).",
        encoder=OPEN_CLIP_H,
        dim=1024,
        class_name="StableDiffusionPipeline",
        checkpoint="stable-diffusion-v1-5/stable-diffusion-v1-5",
        arguments=(
            Argument("ip_adapter_image_embeds", (Axis.BOTH, Axis.VECTORS, 1024), listed=True),
        ),
        unconditional=Unconditional.ZEROS,
        norm=NOMINAL_NORM,
        native=VIT_H,
        most_vectors=16,
        prepare=(
            'pipe.load_ip_adapter("h94/IP-Adapter", subfolder="models", '
            'weight_name="ip-adapter_sd15.safetensors", image_encoder_folder=None)',
        ),
        prompted=True,
        needs=("a base IP-Adapter, loaded; Plus listens to patches and is not served", _WORDS),
    ),
    Profile(
        id="ip-adapter-sdxl",
        description="IP-Adapter for SDXL, the base one.",
        encoder=OPEN_CLIP_BIGG,
        dim=1280,
        class_name="StableDiffusionXLPipeline",
        checkpoint="stabilityai/stable-diffusion-xl-base-1.0",
        arguments=(
            Argument("ip_adapter_image_embeds", (Axis.BOTH, Axis.VECTORS, 1280), listed=True),
        ),
        unconditional=Unconditional.ZEROS,
        norm=NOMINAL_NORM,
        native=VIT_BIGG,
        most_vectors=16,
        prepare=(
            'pipe.load_ip_adapter("h94/IP-Adapter", subfolder="sdxl_models", '
            'weight_name="ip-adapter_sdxl.safetensors", image_encoder_folder=None)',
        ),
        prompted=True,
        needs=("a base IP-Adapter, loaded; Plus listens to patches and is not served", _WORDS),
    ),
    Profile(
        id="stable-cascade-prior",
        description="The prior of Stable Cascade, whose output its decoder takes.",
        encoder=OPENAI_L,
        dim=768,
        class_name="StableCascadePriorPipeline",
        checkpoint="stabilityai/stable-cascade-prior",
        arguments=(Argument("image_embeds", (Axis.ONE, Axis.VECTORS, 768)),),
        norm=NOMINAL_NORM,
        native=VIT_L,
        most_vectors=16,
        components=("text_encoder",),
        prompted=True,
        needs=(
            "a text_encoder, even where prompt_embeds are given",
            "a prompt, which may be empty",
        ),
    ),
    Profile(
        id="sd-prompt",
        description="Stable Diffusion 1.x in the place of a prompt, by a fitted projector.",
        encoder="the text encoder of OpenAI CLIP ViT-L-14, last hidden states",
        dim=768,
        class_name="StableDiffusionPipeline",
        checkpoint="stable-diffusion-v1-5/stable-diffusion-v1-5",
        arguments=(
            Argument("prompt_embeds", (Axis.BATCH, Axis.TOKENS, 768)),
            Argument("negative_prompt_embeds", (Axis.BATCH, Axis.TOKENS, 768), Holds.NEGATIVE),
        ),
        unconditional=Unconditional.ZEROS,
        scale=Scale.FITTED,
    ),
    Profile(
        id="sdxl-prompt",
        description="SDXL in the place of a prompt, by fitted projectors of tokens and pooled.",
        encoder="both text encoders of SDXL, hidden states and pooled output",
        dim=2048,
        class_name="StableDiffusionXLPipeline",
        checkpoint="stabilityai/stable-diffusion-xl-base-1.0",
        arguments=(
            Argument("prompt_embeds", (Axis.BATCH, Axis.TOKENS, 2048)),
            Argument("pooled_prompt_embeds", (Axis.BATCH, 1280), Holds.POOLED),
            Argument("negative_prompt_embeds", (Axis.BATCH, Axis.TOKENS, 2048), Holds.NEGATIVE),
            Argument("negative_pooled_prompt_embeds", (Axis.BATCH, 1280), Holds.NEGATIVE_POOLED),
        ),
        unconditional=Unconditional.ZEROS,
        scale=Scale.FITTED,
    ),
)


def profile_ids() -> tuple[str, ...]:
    """Returns the ids of all targets."""
    return tuple(profile.id for profile in PROFILES)


def find_profile(name: str) -> Profile:
    """Returns a target by its id.

    Raises:
        ProfileNotFound: If there is none of this id; the message suggests the nearest.
    """
    for profile in PROFILES:
        if profile.id == name:
            return profile
    near = difflib.get_close_matches(name, profile_ids(), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(profile_ids())}"
    raise ProfileNotFound(f"a profile must be one of Kindred's, got {name!r}; {hint}")
