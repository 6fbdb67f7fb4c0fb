"""Packs the three trained towers into the two files that ship.

`kindred-mini.safetensors` holds float16 tensors under the towers' own state names, prefixed `image.`,
`text.` and `audio.`, and one entry of header metadata, `config`: a JSON object with

    format          1: the number of this layout
    name            "kindred-mini"
    dim             length of a vector, 384
    preprocessing   version of the code from media to arrays, part of the space's id
    image           fields of `embedder.models.image_tower.ImageShape`
    text            fields of `embedder.models.text_tower.TextShape`
    audio           fields of `embedder.models.audio_tower.AudioShape`
    logit_scale     what a cosine is multiplied by before a softmax over candidates
    means           {modality: [dim numbers]}, the mean unit vector of each modality
    background      {"text>image": {"mean": m, "std": s}, ...} for each ordered pair of modalities,
                    query first: how the cosines of unrelated pairs are spread, so that
                    (cosine - mean) / std is comparable across modalities (calibrated ranking)
    tokenizer       SHA-256 of the tokenizer's file
    recipe          SHA-256 of the recipe's numbers

A reader builds each tower from its shape, `ImageTower(ImageShape(**config["image"]))` and so on, loads the
tensors of its prefix as float32 with `strict=True`, and calls it in eval mode:

    image   float32 (n, 3, 224, 224) from `embedder.features.image`     -> (n, dim), any norm
    text    int64 (n, tokens) from `embedder.features.text`, 0-padded   -> (n, dim), any norm
    audio   float32 (patches, 96, 64) of ONE window from `embedder.features.audio`, see AudioTower

`kindred-mini.tokenizer.json` is the vocabulary, read by `embedder.features.text.TextTokenizer.load`.
"""
