"""What a condition says: values worked out beside it, and every refusal with its sentence."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embedder.base import EmbeddingSpace, unit
from embedder.conditioning.bridge import Bridges, Choice, Fitted, Known
from embedder.conditioning.condition import Input, Request
from embedder.conditioning.conditioner import Conditioner, Served
from embedder.conditioning.installed import Adapters
from embedder.conditioning.mix import Mix
from embedder.conditioning.profile import Axis, Holds, Unconditional
from embedder.conditioning.profiles import PROFILES, find_profile, profile_ids
from embedder.conditioning.tensors import DType
from embedder.errors import (
    AdapterNotFitted,
    ConditioningError,
    EncodingFailed,
    InputsCancel,
    ProfileNotFound,
    UnfitForTarget,
)
from embedder.media import Modality
from tests.embedder.conditioning.spaces import DRIVEN, SPACE, conditioner, pictures, vectors

NATIVE = {
    "imagebind:huge.pth": {"sd21-unclip-h", "ip-adapter-sd15"},
    "open_clip:ViT-H-14/laion2b_s32b_b79k": {"sd21-unclip-h", "ip-adapter-sd15"},
    "open_clip:ViT-L-14/openai": {"sd21-unclip-l", "karlo-variation", "stable-cascade-prior"},
    "open_clip:ViT-bigG-14/laion2b_s39b_b160k": {"kandinsky22", "ip-adapter-sdxl"},
    "open_clip:ViT-B-32/openai": set(),
    "kindred-mini": {"kindred-demo"},
}


@pytest.fixture
def ours(tmp_path: Path) -> Conditioner:
    return conditioner(tmp_path)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Conditioner:
    return conditioner(tmp_path_factory.mktemp("adapters"), *DRIVEN)


@pytest.mark.parametrize("encoder", NATIVE)
def test_a_model_serves_the_targets_that_were_trained_on_it(encoder: str, tmp_path: Path) -> None:
    ours = conditioner(tmp_path, encoder=encoder)
    ready = {profile.id for profile in PROFILES if ours.ready(profile)}
    assert ready == NATIVE[encoder] | {"kindred-raw"}


def test_profiles_say_what_their_arguments_say() -> None:
    assert len(set(profile_ids())) == len(PROFILES)
    for profile in PROFILES:
        negatives = [a for a in profile.arguments if a.holds is Holds.NEGATIVE]
        both = Axis.BOTH in profile.argument.axes
        assert bool(negatives or both) == profile.takes_negative, profile.id
        assert profile.argument.axes[-1] in (profile.dim, Axis.DIM)
        assert (Axis.VECTORS in profile.argument.axes) <= (profile.most_vectors > 1)
        assert profile.needs or not profile.prompted


def test_an_unknown_profile_is_answered_with_the_nearest(ours: Conditioner) -> None:
    with pytest.raises(ProfileNotFound, match=r"did you mean .*sd21-unclip-h"):
        ours.condition(Request(inputs=pictures(0), profile="sd21-unclip"))


def test_without_an_adapter_the_error_says_how_to_get_one(ours: Conditioner) -> None:
    with pytest.raises(AdapterNotFitted, match="kindred profile fit --profile sd21-unclip-h"):
        ours.condition(Request(inputs=pictures(0), profile="sd21-unclip-h"))


def test_raw_is_the_weighted_mean_made_unit(ours: Conditioner) -> None:
    one, other = pictures(0, 1)
    made = ours.condition(Request(inputs=(one, replace(other, weight=-0.5)), seed=1))
    expected = unit((one.vector - 0.5 * other.vector)[None])
    np.testing.assert_allclose(made.tensors["vectors"].values, expected, atol=1e-6)
    np.testing.assert_array_equal(made.vectors, made.tensors["vectors"].values)
    cosines = [report.cos_to_result for report in made.per_input]
    np.testing.assert_allclose(cosines, [expected[0] @ v.vector for v in (one, other)], atol=1e-6)
    assert [report.weight for report in made.per_input] == [1.0, -0.5]


def test_a_native_vector_is_brought_to_the_targets_norm(tmp_path: Path) -> None:
    ours = conditioner(tmp_path, encoder="imagebind:huge.pth")
    request = Request(inputs=pictures(0), profile="ip-adapter-sd15")
    with pytest.raises(UnfitForTarget, match=r"\(2B, N, 1024\)"):  # a space of 16 is no ImageBind
        ours.condition(request)
    raw = ours.condition(replace(request, profile="kindred-raw"))
    assert np.linalg.norm(raw.tensors["vectors"].values) == pytest.approx(1.0)
    assert raw.norm == 1.0


def test_a_vector_of_the_true_width_is_the_encoders_direction_at_its_norm(tmp_path: Path) -> None:
    space = EmbeddingSpace("vit-h", 1024)
    served = Served(space=space, encoder="open_clip:ViT-H-14/laion2b_s32b_b79k")
    ours = Conditioner(served, Bridges(), Adapters(tmp_path))
    vector = vectors(1, 1024)[0]
    inputs = (Input(7 * vector, Modality.IMAGE),)
    made = ours.condition(Request(inputs=inputs, profile="sd21-unclip-h"))
    np.testing.assert_allclose(made.tensors["image_embeds"].values, 20 * vector[None], rtol=1e-5)
    assert made.per_input[0].norm == pytest.approx(7.0)
    assert made.call.options == {"noise_level": 0}
    assert any("nominal" in said for said in made.warnings)


def test_an_adapter_leads_there_at_the_norm_it_measured(adapted: Conditioner) -> None:
    made = adapted.condition(Request(inputs=pictures(0), profile="sd21-unclip-l"))
    adapter = adapted.adapters.find("sd21-unclip-l", SPACE)
    assert adapter is not None
    head = adapter.heads[Holds.CONDITION]
    expected = head.norm * unit(head(pictures(0)[0].vector[None]))
    np.testing.assert_allclose(made.tensors["image_embeds"].values, expected, rtol=1e-5)
    assert (made.norm, made.adapter) == (head.norm, adapter.card.id)
    assert not made.warnings


def test_negatives_lie_where_each_target_looks_for_them(adapted: Conditioner) -> None:
    """Zeros first for IP-Adapter, the shipped vector beside it for Kandinsky, none for unCLIP."""
    asked = Request(inputs=pictures(0, 1), mix=Mix.STACK, num_vectors=2, seed=1)
    adapter = adapted.condition(replace(asked, profile="ip-adapter-sd15"))
    values = adapter.tensors["ip_adapter_image_embeds"].values
    assert values.shape == (4, 2, 1024)
    assert not values[:2].any()
    assert values[2:].all()
    one = replace(asked, mix=Mix.MEAN)
    kandinsky = adapted.condition(replace(one, profile="kandinsky22"))
    shipped = adapted.adapters.find("kandinsky22", SPACE)
    assert shipped is not None
    np.testing.assert_array_equal(
        kandinsky.tensors["negative_image_embeds"].values,
        np.stack([shipped.heads[Holds.CONDITION].negative] * 2),
    )
    assert set(adapted.condition(replace(one, profile="sd21-unclip-h")).tensors) == {"image_embeds"}


@pytest.mark.parametrize("profile", [profile.id for profile in DRIVEN])
def test_without_guidance_there_is_no_negative_and_the_call_says_so(
    adapted: Conditioner, profile: str
) -> None:
    found = find_profile(profile)
    guided, plain = (
        adapted.condition(Request(inputs=pictures(0), profile=found.id, seed=1, cfg=cfg))
        for cfg in (True, False)
    )
    assert plain.call.options[found.guidance] == 1.0
    assert found.guidance not in guided.call.options
    count = {made: sum(t.array.size for t in made.tensors.values()) for made in (guided, plain)}
    expected = 1 if found.unconditional is Unconditional.INSIDE else 2
    assert count[guided] == expected * count[plain]
    assert all(tensor.array.flags.c_contiguous for tensor in guided.tensors.values())


def test_kandinskys_own_negative_can_not_be_made_up(tmp_path: Path) -> None:
    served = Served(
        space=EmbeddingSpace("bigg", 1280), encoder="open_clip:ViT-bigG-14/laion2b_s39b_b160k"
    )
    ours = Conditioner(served, Bridges(), Adapters(tmp_path))
    request = Request(
        inputs=(Input(vectors(1, 1280)[0], Modality.IMAGE),), profile="kandinsky22", seed=1
    )
    with pytest.raises(AdapterNotFitted, match="empty picture"):
        ours.condition(request)
    assert set(ours.condition(replace(request, cfg=False)).tensors) == {"image_embeds"}
    led = ours.condition(replace(request, negative_inputs=request.inputs))
    np.testing.assert_array_equal(
        led.tensors["negative_image_embeds"].values, led.tensors["image_embeds"].values
    )


def test_negative_inputs_are_subtracted_where_no_negative_is_taken(adapted: Conditioner) -> None:
    one, other = pictures(0, 1)
    request = Request(inputs=(one,), negative_inputs=(replace(other, weight=0.5),))
    led = adapted.condition(replace(request, profile="sd21-unclip-h", seed=1))
    mixed = adapted.condition(
        Request(inputs=(one, replace(other, weight=-0.5)), profile="sd21-unclip-h", seed=1)
    )
    np.testing.assert_array_equal(
        led.tensors["image_embeds"].values, mixed.tensors["image_embeds"].values
    )
    assert any("were subtracted" in said for said in led.warnings)


def test_bridges_are_crossed_and_told(tmp_path: Path) -> None:
    means = {Modality.IMAGE: vectors(2)[0], Modality.AUDIO: vectors(2)[1]}
    bridges = Bridges(Fitted(means=means))
    ours = Conditioner(Served(space=SPACE, encoder="kindred-mini"), bridges, Adapters(tmp_path))
    sound = Input(vectors(5)[4], Modality.AUDIO)
    made = ours.condition(Request(inputs=(sound, *pictures(3)), seed=1))
    crossed = bridges.apply(sound.vector[None], Modality.AUDIO).vectors
    expected = unit(crossed + pictures(3)[0].vector)
    np.testing.assert_allclose(made.vectors, expected, atol=1e-6)
    assert made.bridge_used == "mean_shift, none"
    assert [report.bridge for report in made.per_input] == ["mean_shift", "none"]
    mean = means[Modality.IMAGE] / np.linalg.norm(means[Modality.IMAGE])
    assert made.diagnostics.cos_to_image_mean == pytest.approx(float(expected[0] @ mean), abs=1e-6)
    assert made.diagnostics.log_density_percentile is None


def test_a_collection_can_tell_what_pictures_are(ours: Conditioner) -> None:
    known = Known(images=vectors(4, seed=9))
    sound = Input(vectors(1)[0], Modality.AUDIO)
    request = Request(inputs=(sound,), bridge=Choice(name=Choice().name.KNN, k=1))
    made = ours.condition(request, known)
    nearest = vectors(4, seed=9)[(vectors(4, seed=9) @ sound.vector).argmax()]
    np.testing.assert_allclose(made.vectors, nearest[None], atol=1e-6)


def test_the_same_seed_is_the_same_and_one_is_drawn_where_none_is_given(ours: Conditioner) -> None:
    drawn = {ours.condition(Request(inputs=pictures(0))).seed for _ in range(8)}
    assert len(drawn) > 1
    assert ours.condition(Request(inputs=pictures(0), seed=5)).seed == 5


def test_sounds_and_words_are_blurred_by_default_and_pictures_are_not(adapted: Conditioner) -> None:
    sound = replace(pictures(0)[0], modality=Modality.AUDIO)
    request = Request(inputs=(sound,), profile="sd21-unclip-h")
    assert adapted.condition(request).call.options["noise_level"] == 100
    assert adapted.condition(replace(request, noise_level=7)).call.options["noise_level"] == 7
    assert adapted.condition(replace(request, inputs=pictures(0))).call.options["noise_level"] == 0


def test_numbers_are_rounded_to_what_was_asked_for(adapted: Conditioner) -> None:
    request = Request(inputs=pictures(0), profile="sd21-unclip-h", seed=1, dtype=DType.F16)
    tensor = adapted.condition(request).tensors["image_embeds"]
    exact = adapted.condition(replace(request, dtype=DType.F32)).tensors["image_embeds"]
    np.testing.assert_array_equal(tensor.array, exact.array.astype(np.float16))


SHORT = Input(np.ones(9, dtype=np.float32), Modality.TEXT)
BLANK = Input(np.zeros(16, dtype=np.float32), Modality.TEXT)
REFUSED: Mapping[str, tuple[Request, type[Exception], str]] = {
    "nothing": (Request(inputs=()), ConditioningError, "must have an input"),
    "many": (Request(inputs=pictures(0) * 65), ConditioningError, "at most 64"),
    "short": (Request(inputs=(SHORT,)), UnfitForTarget, "the 16 numbers of the served space"),
    "blank": (Request(inputs=(BLANK,)), EncodingFailed, "not zero"),
    "cancel": (
        Request(inputs=(*pictures(0), replace(pictures(0)[0], weight=-1.0))),
        InputsCancel,
        r"\[1\.0, -1\.0\] whose sum has norm",
    ),
    "negative-cancels": (
        Request(inputs=pictures(0), negative_inputs=pictures(0), profile="sd21-unclip-h"),
        InputsCancel,
        "must not cancel out",
    ),
    "vectors": (Request(inputs=pictures(0), num_vectors=65), ConditioningError, "1 to 64, got 65"),
    "none": (Request(inputs=pictures(0), num_vectors=0), ConditioningError, "1 to 64, got 0"),
    "seed": (Request(inputs=pictures(0), seed=-1), ConditioningError, "seed must be 0"),
    "cascade": (
        Request(inputs=pictures(0), num_vectors=2, profile="stable-cascade-prior"),
        UnfitForTarget,
        "one condition a call",
    ),
    "stack": (
        Request(inputs=pictures(0, 1), mix=Mix.STACK, profile="kandinsky22"),
        UnfitForTarget,
        "keeps 1 vectors apart, got 2",
    ),
    "level": (
        Request(inputs=pictures(0), noise_level=1, profile="kandinsky22"),
        UnfitForTarget,
        "takes no noise_level, got 1",
    ),
    "loud": (
        Request(inputs=pictures(0), noise_level=1000, profile="sd21-unclip-h"),
        ConditioningError,
        "0 to 999, got 1000",
    ),
    "unguided": (
        Request(
            inputs=pictures(0), negative_inputs=pictures(1), cfg=False, profile="ip-adapter-sd15"
        ),
        UnfitForTarget,
        "must come with cfg",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_is_refused(adapted: Conditioner, case: str) -> None:
    request, error, said = REFUSED[case]
    with pytest.raises(error, match=said):
        adapted.condition(request)
