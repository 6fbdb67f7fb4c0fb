"""diffusers' own pipelines with random weights: true conditioning widths, tiny everything else."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch

from embedder.models.open_clip_import import import_open_clip

SIDE = 8
"""Side of the latents, and of most pictures."""

DECODER: Mapping[str, Any] = {
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "resnet_time_scale_shift": "scale_shift",
}
"""Blocks of the decoders of Karlo and Kandinsky."""

Library: TypeAlias = Any
Pipeline: TypeAlias = Any
Part: TypeAlias = Any
"""diffusers has no types that hold for all of it."""


def imported() -> Library:
    """Returns the module `diffusers`, on any install of torch."""
    import_open_clip()  # declares what torchvision lacks beside a CPU-only torch
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    return diffusers


def made(profile: str, dtype: torch.dtype = torch.float32) -> Pipeline:
    """Returns the pipeline of a target, always with the same weights."""
    diffusers = imported()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pipe = BUILDERS[profile](diffusers)
    pipe = pipe.to(dtype)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()  # as `from_pretrained` does; dropout would make two pictures of one seed
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _unet(diffusers: Library, width: int, **more: Part) -> Part:
    shape = {
        "sample_size": SIDE,
        "block_out_channels": (8, 16),
        "norm_num_groups": 4,
        "layers_per_block": 1,
        "attention_head_dim": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": width,
    }
    return diffusers.UNet2DConditionModel(**{**shape, **more})


def _vae(diffusers: Library) -> Part:
    return diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, sample_size=SIDE)


def _vision(width: int) -> Part:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            image_size=4,
            patch_size=2,
            projection_dim=width,
        )
    )


def _text(width: int, pooled: int | None = None) -> Part:
    """Returns a text encoder; with a pooled output projected to a width, where one is given."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=54,
        bos_token_id=0,
        hidden_size=width,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=8,
        eos_token_id=1,
        projection_dim=pooled or width,
    )
    return CLIPTextModel(config) if pooled is None else CLIPTextModelWithProjection(config)


def _tokenizer() -> Part:
    from transformers import CLIPTokenizer

    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{one}</w>" for one in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _scheduler(diffusers: Library) -> Part:
    return diffusers.DDIMScheduler(steps_offset=1, clip_sample=False)


def _unclip(diffusers: Library, width: int) -> Pipeline:
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
        StableUnCLIPImageNormalizer,
    )

    return diffusers.StableUnCLIPImg2ImgPipeline(
        feature_extractor=None,
        image_encoder=_vision(width),
        image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=width),
        image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=_tokenizer(),
        text_encoder=_text(1024),
        unet=_unet(
            diffusers,
            1024,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=2 * width,
        ),
        scheduler=_scheduler(diffusers),
        vae=_vae(diffusers),
    )


def _kandinsky(diffusers: Library) -> Pipeline:
    movq = diffusers.VQModel(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        num_vq_embeddings=16,
    )
    unet = _unet(
        diffusers,
        32,
        out_channels=8,
        encoder_hid_dim=1280,
        encoder_hid_dim_type="image_proj",
        addition_embed_type="image",
        addition_embed_type_num_heads=64,
        **DECODER,
    )
    return diffusers.KandinskyV22Pipeline(
        unet=unet, scheduler=diffusers.DDPMScheduler(variance_type="learned_range"), movq=movq
    )


def _sd(diffusers: Library) -> Pipeline:
    return diffusers.StableDiffusionPipeline(
        vae=_vae(diffusers),
        text_encoder=_text(768),
        tokenizer=_tokenizer(),
        unet=_unet(diffusers, 768),
        scheduler=_scheduler(diffusers),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl(diffusers: Library) -> Pipeline:
    unet = _unet(
        diffusers,
        2048,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=1280 + 6 * 8,
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=_vae(diffusers),
        text_encoder=_text(768),
        text_encoder_2=_text(1280, pooled=1280),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        unet=unet,
        scheduler=_scheduler(diffusers),
        add_watermarker=False,
    )


def _adapted(pipe: Pipeline, width: int) -> Pipeline:
    """Loads a base IP-Adapter of random weights into a pipeline."""
    hidden = pipe.unet.config.cross_attention_dim
    projection = {
        "proj.weight": torch.randn(4 * hidden, width) / width**0.5,
        "proj.bias": torch.zeros(4 * hidden),
        "norm.weight": torch.ones(hidden),
        "norm.bias": torch.zeros(hidden),
    }
    attention = {}
    number = 1
    for name in pipe.unet.attn_processors:
        if not name.endswith("attn2.processor"):
            continue
        layer = pipe.unet.get_submodule(name.removesuffix(".processor"))
        for part in ("k", "v"):
            weights = torch.randn(layer.to_k.out_features, hidden)
            attention[f"{number}.to_{part}_ip.weight"] = weights
        number += 2
    state = {"image_proj": projection, "ip_adapter": attention}
    pipe.load_ip_adapter(state, subfolder="", weight_name="", image_encoder_folder=None)
    return pipe


def _cascade(diffusers: Library) -> Pipeline:
    layer = ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock")
    prior = diffusers.StableCascadeUNet(
        in_channels=16,
        out_channels=16,
        timestep_ratio_embedding_dim=8,
        conditioning_dim=32,
        block_out_channels=(32, 32),
        num_attention_heads=(2, 2),
        down_num_layers_per_block=(1, 1),
        up_num_layers_per_block=(1, 1),
        down_blocks_repeat_mappers=(1, 1),
        up_blocks_repeat_mappers=(1, 1),
        block_types_per_layer=(layer, layer),
        clip_text_in_channels=1280,
        clip_text_pooled_in_channels=1280,
        clip_image_in_channels=768,
        clip_seq=4,
        switch_level=(False,),
    )
    return diffusers.StableCascadePriorPipeline(
        tokenizer=_tokenizer(),
        text_encoder=_text(1280, pooled=1280),
        prior=prior,
        scheduler=diffusers.DDPMWuerstchenScheduler(),
    )


def _karlo(diffusers: Library) -> Pipeline:
    from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel

    decoder = _unet(
        diffusers,
        32,
        in_channels=3,
        out_channels=6,
        class_embed_type="identity",
        **DECODER,
    )
    return diffusers.UnCLIPImageVariationPipeline(
        decoder=decoder,
        text_encoder=_text(768, pooled=768),
        tokenizer=_tokenizer(),
        text_proj=UnCLIPTextProjModel(
            clip_extra_context_tokens=2,
            clip_embeddings_dim=768,
            time_embed_dim=32,
            cross_attention_dim=32,
        ),
        feature_extractor=None,
        image_encoder=_vision(768),
        super_res_first=_larger(diffusers),
        super_res_last=_larger(diffusers),
        decoder_scheduler=diffusers.UnCLIPScheduler(variance_type="learned_range"),
        super_res_scheduler=diffusers.UnCLIPScheduler(variance_type="fixed_small_log"),
    )


def _larger(diffusers: Library) -> Part:
    """Returns what makes Karlo's pictures larger."""
    return diffusers.UNet2DModel(
        sample_size=SIDE,
        in_channels=6,
        layers_per_block=1,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("ResnetDownsampleBlock2D",) * 2,
        up_block_types=("ResnetUpsampleBlock2D",) * 2,
    )


BUILDERS: Mapping[str, Callable[[Library], Pipeline]] = {
    "sd21-unclip-h": lambda diffusers: _unclip(diffusers, 1024),
    "sd21-unclip-l": lambda diffusers: _unclip(diffusers, 768),
    "karlo-variation": _karlo,
    "kandinsky22": _kandinsky,
    "ip-adapter-sd15": lambda diffusers: _adapted(_sd(diffusers), 1024),
    "ip-adapter-sdxl": lambda diffusers: _adapted(_sdxl(diffusers), 1280),
    "stable-cascade-prior": _cascade,
    "sd-prompt": _sd,
    "sdxl-prompt": _sdxl,
}
