"""Small open_clip models with random weights, in folders as open_clip's `local-dir:` reads them."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from embedder.models.open_clip_import import import_open_clip

_TEXT = {"context_length": 77, "vocab_size": 49_408, "width": 64, "heads": 2, "layers": 2}

VIT: dict[str, Any] = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": _TEXT,
}
CONVNEXT: dict[str, Any] = {
    "embed_dim": 48,
    "vision_cfg": {
        "timm_model_name": "convnext_atto",
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "linear",
        "timm_drop_path": 0.1,
        "image_size": 64,
    },
    "text_cfg": _TEXT,
}
SIGLIP: dict[str, Any] = {
    "embed_dim": 192,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 224,
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 64,
        "vocab_size": 400,
        "hf_tokenizer_name": "own",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 192,
        "heads": 3,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
    },
}
KINDS = {"vit": VIT, "convnext": CONVNEXT, "siglip": SIGLIP}

_SIGLIP_PIXELS = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}


def write_folder(folder: Path, kind: str, seed: int = 0) -> Path:
    """Writes a small model's configuration, tokenizer and random weights; returns the folder."""
    pixels = _SIGLIP_PIXELS if kind == "siglip" else {}
    return _write(folder, {"model_cfg": KINDS[kind], "preprocess_cfg": pixels}, seed)


def write_full_size(folder: Path, architecture: str, seed: int = 0) -> Path:
    """Does the same for an architecture of open_clip's, as large as it is.

    A tokenizer that would have to be downloaded gives way to a small one of its kind.
    """
    config = import_open_clip().get_model_config(architecture)
    pixels = _SIGLIP_PIXELS if "SigLIP" in architecture else {}
    if "hf_tokenizer_name" in config["text_cfg"]:
        config["text_cfg"]["hf_tokenizer_name"] = "own"
    return _write(folder, {"model_cfg": config, "preprocess_cfg": pixels}, seed)


def _write(folder: Path, config: dict[str, Any], seed: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    if "hf_tokenizer_name" in config["model_cfg"]["text_cfg"]:
        _write_tokenizer(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = import_open_clip().create_model(f"local-dir:{folder}")
    torch.save(network.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def _write_tokenizer(folder: Path) -> None:
    """Trains a tokenizer of SigLIP's kind: pieces, an end mark that also pads."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"
    )
    tokenizer.train_from_iterator(
        ["a photo of a cat on a mat", "a dog at the beach with a ball", "the sound of rain"],
        trainer,
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {"pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"}
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64}
    (folder / "tokenizer_config.json").write_text(json.dumps({**kind, **words}))
