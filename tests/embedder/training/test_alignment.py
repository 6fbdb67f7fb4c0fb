from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from embedder.training import space as spaces
from embedder.training.alignment import SoundGuides, contrastive, train_image_text, train_sound
from embedder.training.lessons import MOST_TEXTS, Sentences, picture_lessons, sound_lessons
from embedder.training.recipe import SpaceRecipe
from embedder.training.shards import ShardItem
from embedder.training.texts import PHOTO_TEMPLATES, SOUND_TEMPLATES

LABELS = ["dog", "cat", "bell", "drum"]
RECIPE = SpaceRecipe(batch=32, steps=20, sound_steps=20, learning_rate=3e-3)


def items(modality: str, count: int) -> list[ShardItem]:
    return [
        ShardItem(
            f"x-{i}",
            modality,
            "png",
            "toys",
            LABELS[i % 4],
            (),
            (),
            None,
            "CC0",
            "open",
            Path("x"),
            i,
        )
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    random = np.random.default_rng(0)
    centres = {label: random.standard_normal(384) for label in LABELS}
    texts = [t.format(x) for x in LABELS for t in dict.fromkeys(PHOTO_TEMPLATES + SOUND_TEMPLATES)]
    vectors = []
    for text in texts:
        centre = next(centres[label] for label in LABELS if label in text)
        vector = centre + 0.3 * random.standard_normal(384)
        vectors.append(vector / np.linalg.norm(vector))
    return Sentences(texts, np.array(vectors, dtype=np.float16))


def features(count: int, width: int) -> torch.Tensor:
    torch.manual_seed(3)
    centres = torch.randn(4, width)
    return (centres[torch.arange(count) % 4] + 0.5 * torch.randn(count, width)).half()


def test_contrastive_is_the_cross_entropy_of_both_directions() -> None:
    torch.manual_seed(0)
    first, second = (functional.normalize(torch.randn(3, 5), dim=1) for _ in range(2))
    everything = torch.ones(3, 3, dtype=torch.bool)
    logits, right = 7.0 * first @ second.T, torch.arange(3)
    expected = functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)
    loss = contrastive(first, second, everything, torch.tensor(7.0))
    assert loss == pytest.approx(expected.item() / 2)
    alone = contrastive(first, second, ~everything, torch.tensor(7.0))
    assert alone == pytest.approx(0.0)


def test_lessons_mask_kin_and_describe_each_item_by_its_own_texts(sentences: Sentences) -> None:
    lessons = picture_lessons(items("image", 40), [features(40, 3305)], sentences, RECIPE)
    assert lessons.texts.shape == (40, MOST_TEXTS)
    assert lessons.odds.sum() == pytest.approx(1.0)
    batch = lessons.batch(np.random.default_rng(0), 32)
    same = batch.answers[:, None] == batch.answers
    assert not (batch.negatives & same).any()
    assert batch.negatives[~same].all()
    nearest = (batch.described @ lessons.labels.T).argmax(dim=1)
    assert torch.equal(nearest, batch.answers)


def test_sounds_do_not_compete_with_labels_that_mean_the_same(sentences: Sentences) -> None:
    rows = [sentences.rows[t.format("cat")] for t in SOUND_TEMPLATES]
    merged = sentences.vectors.clone()
    merged[rows] = merged[[sentences.rows[t.format("dog")] for t in SOUND_TEMPLATES]]
    synonyms = Sentences(list(sentences.rows), merged.numpy())
    lessons = sound_lessons(items("audio", 8), features(8, 2569), synonyms, RECIPE)
    bell, cat, dog, drum = range(4)
    assert not lessons.rivals[cat, dog]
    assert lessons.rivals[cat, cat]
    assert lessons.rivals[bell, drum]


def test_a_few_steps_bring_kin_together_and_leave_the_rest_alone(
    sentences: Sentences, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    space = spaces.TeacherSpace()
    seen = features(80, 3305)
    lessons = picture_lessons(items("image", 80), [seen], sentences, RECIPE)
    train_image_text(space, lessons, sentences.vectors[:10].float(), RECIPE)
    found = space.image_head(seen.float()) @ space.text_map(lessons.labels).T
    assert (found.argmax(dim=1) == lessons.answers).float().mean() > 0.95

    before = {name: value.clone() for name, value in space.image_head.state_dict().items()}
    heard = features(80, 2569).abs()
    clips = sound_lessons(items("audio", 80), heard, sentences, RECIPE)
    pictures = space.image_head(seen.float())[:, None]
    guides = SoundGuides(
        sentences.vectors[:521].float(), torch.rand(80, len(sentences.rows)), pictures
    )
    train_sound(space, clips, guides, RECIPE)
    found = space.audio_head(heard.float()) @ space.text_map(clips.labels).T
    assert (found.argmax(dim=1) == clips.answers).float().mean() > 0.95
    assert all(torch.equal(v, before[k]) for k, v in space.image_head.state_dict().items())

    spaces.save_space(space, tmp_path / "space.safetensors")
    loaded = spaces.load_space(tmp_path / "space.safetensors")
    assert torch.equal(loaded.image_head(seen.float()), space.image_head(seen.float()))
    assert not any(weight.requires_grad for weight in loaded.parameters())
