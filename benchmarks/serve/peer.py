"""Infinity, serving CLIP ViT-B/32 with random weights; run by the Python of an environment with it.

    python -m venv ENV
    ENV/bin/pip install 'infinity-emb[torch,server,vision]==0.0.78' 'transformers<4.49' aiohttp
    ENV/bin/python benchmarks/serve/peer.py FOLDER BPE_FILE PORT

BPE_FILE is open_clip's bpe_simple_vocab_16e6.txt.gz: the tokenizer of CLIP, without a download.
"""

import gzip
import json
import os
import sys
from pathlib import Path


def write_model(folder: Path, bpe: Path) -> None:
    """Writes a CLIP ViT-B/32 with random weights as transformers reads it."""
    from transformers import (  # type: ignore[import-not-found,unused-ignore]
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizerFast,
    )
    from transformers.models.clip.tokenization_clip import (  # type: ignore[import-not-found,unused-ignore]
        bytes_to_unicode,
    )

    merges = gzip.decompress(bpe.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["".join(merge.split()) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    tokenizer = CLIPTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.model_max_length = 77
    CLIPProcessor(CLIPImageProcessor(), tokenizer).save_pretrained(folder)
    CLIPModel(CLIPConfig()).save_pretrained(folder)


def main() -> None:
    """Writes the model where it is missing, and becomes the server."""
    folder, bpe, port = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    if not (folder / "config.json").exists():
        write_model(folder, bpe)
    infinity = str(Path(sys.executable).with_name("infinity_emb"))
    # Its flags of truth values do not go with every version of click.
    for name in ("COMPILE", "BETTERTRANSFORMER", "MODEL_WARMUP"):
        os.environ[f"INFINITY_{name}"] = "false;"
    os.environ["HF_HUB_OFFLINE"] = os.environ["DO_NOT_TRACK"] = "1"
    os.environ["INFINITY_ANONYMOUS_USAGE_STATS"] = "0"
    options = ["--model-id", str(folder), "--served-model-name", "clip", "--device", "cpu"]
    os.execv(infinity, [infinity, "v2", *options, "--host", "127.0.0.1", "--port", port])


if __name__ == "__main__":
    main()
