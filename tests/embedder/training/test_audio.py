"""The recipe of the audio tower, piece by piece, against what it should do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from embedder.models.audio_tower import AudioShape, conv_units, make_stages
from embedder.training.audio import map_error
from embedder.training.audio_layers import fit_norms, teach_stem
from embedder.training.audio_recipe import BindRecipe, MixRecipe
from embedder.training.audio_student import assemble, load_audio_student, save_audio_student
from embedder.training.binding import Anchors, Binding, Hearings, bind, sound_picture_table
from embedder.training.shards import ShardItem
from embedder.training.sound_targets import Spectrograms
from embedder.training.teachers.sound import SoundTeacher
from embedder.training.windows import WindowSampler, decibels, magnitudes, shifted

SMALL = AudioShape(dim=12, widths=(4, 8), strides=(2, 1))


def item(key: str, modality: str, label: str, synonyms: tuple[str, ...] = ()) -> ShardItem:
    return ShardItem(
        key=key, modality=modality, format="", dataset="any", label=label, captions=(), fold=None,
        synonyms=synonyms, licence="", tier="open", shard=Path(), row=0,
    )  # fmt: skip


def clips(lengths: tuple[int, ...] = (96, 130, 500)) -> Spectrograms:
    rng = np.random.default_rng(0)
    frames = rng.normal(-3, 1, (sum(lengths), 64)).astype(np.float16)
    starts = np.cumsum([0, *lengths])
    return Spectrograms(np.array([str(n) for n in lengths]), frames, starts)


def test_a_step_always_has_the_same_windows() -> None:
    sampler = WindowSampler.over(clips(), np.array([True, True, True]), MixRecipe(seed=1, batch=9))
    assert torch.equal(sampler(4), sampler(4))
    assert not torch.equal(sampler(4), sampler(5))
    assert sampler(4).shape == (9, 96, 64)


def test_unmixed_windows_are_the_clips_own() -> None:
    plain = MixRecipe(
        seed=1,
        batch=6,
        mixed=0.0,
        level=0.0,
        level_spread=0.0,
        coloured=0.0,
        shifted=0.0,
        reversed=0.0,
    )
    sampler = WindowSampler.over(clips(), np.array([True, False, False]), plain)
    expected = torch.from_numpy(clips().clip(0)).expand(6, -1, -1)
    torch.testing.assert_close(sampler(0), expected, atol=1e-3, rtol=1e-3)


def test_levels_are_in_decibels() -> None:
    np.testing.assert_allclose(decibels(np.array([0.0, 20.0, -6.0])), [1.0, 10.0, 0.501], rtol=1e-3)


def test_magnitudes_undo_the_logarithm() -> None:
    mel = np.array([0.0, 0.5, 30.0], dtype=np.float32)
    np.testing.assert_allclose(magnitudes(np.log(mel + np.float32(0.001))), mel, atol=1e-5)


def test_shifting_repeats_the_edge() -> None:
    mel = np.tile(np.arange(64, dtype=np.float32), (2, 1))
    assert shifted(mel, 2)[0, :4].tolist() == [0, 0, 0, 1]
    assert shifted(mel, -2)[0, -3:].tolist() == [63, 63, 63]


def test_map_error_is_a_share_of_the_power() -> None:
    answer = torch.rand(8, 3, 4, 4)
    assert map_error(answer, answer).item() == 0.0
    power = torch.ones_like(answer)
    assert map_error(1.1 * power, power).item() == pytest.approx(0.01 / 1.05, rel=1e-4)


def test_folding_batch_normalisation_changes_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    stages = make_stages(SMALL, norm=True).train()
    sounds = torch.randn(2, 3, 96, 64)
    maps = sounds.flatten(0, 1)[:, None]
    for stage in stages:  # gathers statistics
        maps = stage(maps)
    stages.eval()
    tower = assemble(stages, nn.Linear(16, 12), SMALL)
    maps, folded = (sounds.flatten(0, 1)[:, None],) * 2
    for trained, stage in zip(stages, tower.stages, strict=True):
        maps, folded = trained(maps), stage(folded)
    torch.testing.assert_close(maps, folded, atol=1e-5, rtol=1e-4)
    save_audio_student(tower, tmp_path / "student.pt")
    torch.testing.assert_close(load_audio_student(tmp_path / "student.pt")(sounds), tower(sounds))


def test_a_picture_is_paired_by_the_table_and_by_name() -> None:
    sounds = [
        item("a", "audio", "dog bark", ("dog",)),
        item("b", "audio", "dog"),
        item("c", "audio", "rain"),
    ]
    pictures = [
        item("p", "image", "beagle"),
        item("q", "image", "Rain"),
        item("r", "image", "hound", ("dog",)),
    ]
    table = sound_picture_table(
        ["dog", "dog bark", "rain"], sounds, pictures, [("dog", "p"), ("dog", "gone")]
    )
    assert table.tolist() == [[True, False, True], [True, False, True], [False, True, False]]


def made_up(recipe: BindRecipe) -> tuple[Hearings, Anchors]:
    """Three kinds of sound, each with a direction of its own among texts and pictures."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat(20)
    centres = torch.rand(3, 2048, generator=rng)
    features = centres[labels] + 0.1 * torch.rand(60, 2048, generator=rng)
    directions = torch.eye(384)[:3]
    none = torch.zeros(3, 3, dtype=torch.bool)
    anchors = Anchors(
        phrases=directions[:, None].repeat(1, 2, 1), kin=none, rivals=~none, names=directions,
        pictures=directions.repeat(200, 1), shows=torch.eye(3).bool().repeat(1, 200),
    )  # fmt: skip
    scores = torch.eye(3)[labels]
    return Hearings(features, labels, scores, np.full(60, 1 / 60)), anchors


def test_binding_brings_sounds_to_their_texts_and_pictures() -> None:
    recipe = BindRecipe(steps=20, batch=32)
    hearings, anchors = made_up(recipe)
    head = bind(hearings, anchors, recipe)
    cosines = nn.functional.normalize(head(hearings.features), dim=1) @ anchors.names.T
    assert cosines.argmax(dim=1).tolist() == hearings.labels.tolist()


def test_rivals_compete_although_their_names_are_alike() -> None:
    """Where all labels are kin, only the loss among rivals can tell the sounds apart."""
    recipe = BindRecipe(steps=20, batch=32, weights=(("rivals", 1.0),))
    hearings, anchors = made_up(recipe)
    alike = replace(anchors, kin=torch.ones(3, 3, dtype=torch.bool))
    head = bind(hearings, alike, recipe)
    assert (head(hearings.features) @ anchors.names.T).argmax(dim=1).equal(hearings.labels)
    untold = bind(hearings, alike, replace(recipe, weights=(("labels", 1.0),)))
    assert not (untold(hearings.features) @ anchors.names.T).argmax(dim=1).equal(hearings.labels)


def test_folding_the_standardisation_changes_nothing() -> None:
    hearings, _ = made_up(BindRecipe())
    binding = Binding(hearings, 384, BindRecipe()).eval()
    folded = nn.functional.normalize(binding.folded()(hearings.features), dim=1)
    torch.testing.assert_close(folded, binding(hearings.features), atol=1e-5, rtol=1e-3)


def test_fitted_norms_undo_any_scale_and_offset() -> None:
    """Layers with the teacher's kernels, scaled, answer as the teacher does once fitted."""
    torch.manual_seed(1)
    teacher = SoundTeacher()
    stages = make_stages(AudioShape(), norm=True)
    for unit, taught in zip(conv_units(stages), conv_units(teacher.stages), strict=True):
        unit.conv.weight.data.copy_(3.0 * taught.conv.weight)
    patches = torch.randn(8, 96, 64)
    fit_norms(stages, teacher, [patches, torch.randn(8, 96, 64)])
    maps = patches[:, None]
    for stage, answering in zip(stages.eval(), teacher.stages, strict=True):
        expected = answering(maps)
        assert map_error(stage(maps), expected).item() < 0.01
        maps = expected


def test_the_stem_learns_a_kernel_from_its_maps() -> None:
    torch.manual_seed(2)
    teacher = SoundTeacher()
    stages = make_stages(AudioShape(), norm=True)
    teach_stem(stages, teacher, torch.randn(16, 96, 64).cumsum(dim=2) / 5)
    kernels = [conv_units(s)[0].conv.weight.flatten(1) for s in (stages, teacher.stages)]
    cosines = nn.functional.cosine_similarity(kernels[0], kernels[1])
    assert cosines.min().item() > 0.99
