"""Each target's tensors drive diffusers' own class; what it would refuse, we refuse first."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from embedder.conditioning.condition import Conditioned, Request
from embedder.conditioning.conditioner import Conditioner
from embedder.conditioning.contract import check_call
from embedder.conditioning.driving import as_torch, keywords
from embedder.conditioning.mix import Mix
from embedder.conditioning.profiles import find_profile
from embedder.conditioning.tensors import DType, from_npz, from_safetensors, to_npz, to_safetensors
from embedder.errors import UnfitForTarget
from tests.embedder.conditioning import pipelines
from tests.embedder.conditioning.pipelines import SIDE, Part, Pipeline
from tests.embedder.conditioning.spaces import DRIVEN, conditioner, pictures

IDS = tuple(profile.id for profile in DRIVEN)

pipeline = cache(pipelines.made)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Conditioner:
    return conditioner(tmp_path_factory.mktemp("adapters"), *DRIVEN)


def others(profile: str, rows: int = 1) -> dict[str, Any]:
    """Returns what a call wants beside the condition: two steps, a small picture, a seed."""
    call: dict[str, Any] = {"generator": torch.Generator().manual_seed(0), "output_type": "pt"}
    if find_profile(profile).prompted:
        call["prompt"] = [""] * rows
    match profile:
        case "karlo-variation":
            steps = {"decoder_num_inference_steps": 2, "super_res_num_inference_steps": 2}
            return {**call, **steps}
        case "kandinsky22":
            call |= {"height": SIDE, "width": SIDE}
        case "stable-cascade-prior":
            call |= {"height": 16 * SIDE, "width": 16 * SIDE}
    return {**call, "num_inference_steps": 2}


def drawn(pipe: Pipeline, made: Conditioned) -> Tensor:
    """Returns what the pipeline makes of a condition."""
    return run(pipe, keywords(made, pipe, **others(made.profile.id)))


def run(pipe: Pipeline, call: Mapping[str, Any]) -> Tensor:
    answer = pipe(**call)
    images = answer.images if "images" in answer else answer.image_embeddings
    return torch.as_tensor(images).float()


@pytest.mark.parametrize("cfg", [True, False], ids=["guided", "unguided"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
@pytest.mark.parametrize("profile", IDS)
def test_tensors_drive_the_real_class(
    ours: Conditioner, profile: str, dtype: torch.dtype, cfg: bool
) -> None:
    pipe = pipeline(profile, dtype)
    one, other, again = (
        drawn(pipe, ours.condition(Request(inputs=pictures(row), profile=profile, cfg=cfg, seed=7)))
        for row in (0, 1, 0)
    )
    assert one.isfinite().all()
    assert torch.equal(one, again)
    assert (one - other).abs().mean() > 1e-4


@pytest.mark.parametrize("profile", [one.id for one in DRIVEN if one.batched])
def test_several_conditions_fit_one_call_and_each_makes_its_own_picture(
    ours: Conditioner, profile: str
) -> None:
    pipe = pipeline(profile)
    both = ours.condition(Request(inputs=pictures(0), profile=profile, num_vectors=2, seed=7))
    call = keywords(both, pipe, **others(profile, rows=2))
    if profile == "karlo-variation":  # takes its noise apart for each row by itself
        call["generator"] = torch.Generator().manual_seed(0)
    assert len(run(pipe, call)) == 2


@pytest.mark.parametrize("profile", ["ip-adapter-sd15", "ip-adapter-sdxl", "stable-cascade-prior"])
def test_vectors_that_are_kept_apart_make_another_picture_than_their_mean(
    ours: Conditioner, profile: str
) -> None:
    request = Request(inputs=pictures(0, 1), profile=profile, seed=7)
    apart = ours.condition(replace(request, mix=Mix.STACK))
    pipe = pipeline(profile)
    assert (drawn(pipe, apart) - drawn(pipe, ours.condition(request))).abs().mean() > 1e-4


def test_files_make_the_very_pictures_that_the_tensors_make(ours: Conditioner) -> None:
    pipe = pipeline("ip-adapter-sd15")
    made = ours.condition(Request(inputs=pictures(0), profile="ip-adapter-sd15", seed=7))
    direct = drawn(pipe, made)
    for read in (from_npz(to_npz(made.tensors)), from_safetensors(to_safetensors(made.tensors))):
        assert torch.equal(drawn(pipe, replace(made, tensors=read)), direct)


def test_a_negative_input_takes_the_place_of_the_targets_own(ours: Conditioner) -> None:
    pipe = pipeline("kandinsky22")
    request = Request(inputs=pictures(0), profile="kandinsky22", seed=7)
    led = ours.condition(replace(request, negative_inputs=pictures(1)))
    assert (drawn(pipe, led) - drawn(pipe, ours.condition(request))).abs().mean() > 1e-4


def test_noise_level_blurs_what_unclip_hears(ours: Conditioner) -> None:
    pipe = pipeline("sd21-unclip-h")
    request = Request(inputs=pictures(0), profile="sd21-unclip-h", seed=7)
    noisy = ours.condition(replace(request, noise_level=500))
    assert (drawn(pipe, noisy) - drawn(pipe, ours.condition(request))).abs().mean() > 1e-4


Change = Callable[[dict[str, Any], Pipeline], object]


def put(name: str, make: Callable[[Tensor], Any]) -> Change:
    """Returns what changes one tensor of a call."""

    def change(call: dict[str, Any], pipe: Pipeline) -> None:
        held = call[name]
        call[name] = [make(held[0])] if isinstance(held, list) else make(held)

    return change


def instead(**fields: Part) -> Change:
    """Returns what changes keywords of a call."""
    return lambda call, pipe: call.update(fields)


def prompts(rows: int) -> Change:
    return instead(prompt=[""] * rows)


REFUSED: Mapping[str, tuple[str, Change]] = {
    "unclip-1d": ("sd21-unclip-h", put("image_embeds", lambda x: x[0])),
    "unclip-3d": ("sd21-unclip-h", put("image_embeds", lambda x: x[None])),
    "unclip-512": ("sd21-unclip-h", put("image_embeds", lambda x: x[:, :512])),
    "unclip-numpy": ("sd21-unclip-h", put("image_embeds", lambda x: x.numpy())),
    "unclip-two-prompts": ("sd21-unclip-h", prompts(2)),
    "unclip-two-vectors": ("sd21-unclip-h", put("image_embeds", lambda x: x.repeat(2, 1))),
    "kandinsky-no-negative": ("kandinsky22", instead(negative_image_embeds=None)),
    "kandinsky-rows": ("kandinsky22", put("negative_image_embeds", lambda x: x.repeat(2, 1))),
    "kandinsky-3d": ("kandinsky22", put("image_embeds", lambda x: x[None])),
    "kandinsky-1024": ("kandinsky22", put("image_embeds", lambda x: x[:, :1024])),
    "ip-no-half": ("ip-adapter-sd15", put("ip_adapter_image_embeds", lambda x: x[1:])),
    "ip-2d": ("ip-adapter-sd15", put("ip_adapter_image_embeds", lambda x: x[:, 0])),
    "ip-bare": (
        "ip-adapter-sd15",
        lambda call, pipe: call.update(ip_adapter_image_embeds=call["ip_adapter_image_embeds"][0]),
    ),
    "ip-numpy": ("ip-adapter-sd15", put("ip_adapter_image_embeds", lambda x: x.numpy())),
    "sd-tokens": ("sd-prompt", put("negative_prompt_embeds", lambda x: x[:, :1])),
    "sd-2d": ("sd-prompt", put("prompt_embeds", lambda x: x[0])),
    "sdxl-no-pooled": ("sdxl-prompt", instead(pooled_prompt_embeds=None)),
}
"""What diffusers was seen to fail at, by name: the target, and what is done to a good call."""


@pytest.mark.parametrize("case", REFUSED)
def test_what_diffusers_fails_at_is_refused_before(ours: Conditioner, case: str) -> None:
    profile, change = REFUSED[case]
    pipe = pipeline(profile)
    made = ours.condition(Request(inputs=pictures(0), profile=profile, seed=7))
    call = keywords(made, pipe, **others(profile))
    change(call, pipe)
    with pytest.raises(UnfitForTarget):
        check_call(made.profile, pipe, call)
    with pytest.raises(Exception):  # noqa: B017, PT011 - of many kinds, which is why we check
        pipe(**call)


@pytest.mark.parametrize(("profile", "cfg"), [("sd21-unclip-h", True), ("kandinsky22", False)])
def test_a_vector_of_another_type_than_the_pipelines_is_refused(
    ours: Conditioner, profile: str, cfg: bool
) -> None:
    pipe = pipeline(profile, torch.bfloat16)
    made = ours.condition(Request(inputs=pictures(0), profile=profile, cfg=cfg))
    call = keywords(made, pipe, **others(profile))
    call["image_embeds"] = call["image_embeds"].float()
    with pytest.raises(UnfitForTarget, match=r"pipeline's dtype, torch\.bfloat16"):
        check_call(made.profile, pipe, call)
    with pytest.raises(RuntimeError):
        pipe(**call)


@pytest.mark.parametrize(
    ("profile", "parts"),
    [
        ("sd21-unclip-h", ("image_encoder",)),
        ("sd21-unclip-h", ("tokenizer", "text_encoder")),
        ("stable-cascade-prior", ("text_encoder",)),
    ],
)
def test_a_pipeline_without_a_part_it_needs_is_refused(
    ours: Conditioner, profile: str, parts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = pipeline(profile)
    made = ours.condition(Request(inputs=pictures(0), profile=profile))
    call = keywords(made, pipe, **others(profile))
    for part in parts:
        monkeypatch.setattr(pipe, part, None)
    with pytest.raises(UnfitForTarget, match=parts[0]):
        check_call(made.profile, pipe, call)
    with pytest.raises((AttributeError, TypeError, ValueError)):
        pipe(**call)


class Small:
    """A pipeline that is found wherever a snippet looks for one, and makes a small picture."""

    def __init__(self, profile: str) -> None:
        self._profile, self._pipe = profile, pipeline(profile)
        self.dtype = self._pipe.dtype

    def from_pretrained(self, name: str) -> "Small":
        assert name == find_profile(self._profile).checkpoint
        return self

    def to(self, device: str) -> "Small":
        return self

    def load_ip_adapter(self, name: str, **where: str | None) -> None:
        """The pipeline has one."""

    def __call__(self, **call: Part) -> Part:
        more = {**others(self._profile), "output_type": "pil"}
        return self._pipe(**more | call)


@pytest.mark.parametrize("profile", IDS)
def test_the_snippet_runs_as_it_is_pasted(
    ours: Conditioner, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(profile)
    monkeypatch.setattr(pipelines.imported(), find_profile(profile).class_name, small)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    made = ours.condition(Request(inputs=pictures(0), profile=profile, seed=7))
    Path("out.safetensors").write_bytes(to_safetensors(made.tensors))
    left: dict[str, Any] = {}
    exec(compile(made.call.snippet, "snippet", "exec"), left)
    assert Path("out.png").is_file() or len(left["image_embeddings"]) == 1


def test_bfloat16_arrives_as_torchs_own_rounding(ours: Conditioner) -> None:
    request = Request(inputs=pictures(0), profile="sd21-unclip-h", seed=7)
    exact = as_torch(ours.condition(request).tensors["image_embeds"])
    sent = as_torch(ours.condition(replace(request, dtype=DType.BF16)).tensors["image_embeds"])
    assert sent.dtype is torch.bfloat16
    assert torch.equal(sent, exact.bfloat16())
