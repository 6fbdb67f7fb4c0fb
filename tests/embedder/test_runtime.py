"""What runs a tower."""

import threading

import numpy as np
import pytest
import torch

from embedder.errors import MissingDependency
from embedder.runtime.base import Placement, Tower
from embedder.runtime.choice import place
from embedder.runtime.torch import TorchRuntime, torch_precision


def test_a_tower_runs_without_gradients_in_eval_mode() -> None:
    linear = torch.nn.Linear(3, 2)
    tower = torch.nn.Sequential(linear, torch.nn.Dropout(0.9)).train()
    batch = np.random.default_rng(0).random((4, 3), dtype=np.float32)
    expected = batch @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    found = TorchRuntime(tower).run(batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not any(weight.requires_grad for weight in tower.parameters())


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    with pytest.raises(MissingDependency, match=f"must be one that .* can use, got '{device}'"):
        TorchRuntime(torch.nn.Linear(3, 2), device=device)


def test_the_stated_threads_are_used_in_every_thread() -> None:
    seen: list[int] = []

    class Tower(torch.nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(torch.get_num_threads())
            return batch

    runtime = TorchRuntime(Tower(), threads=1)
    workers = [
        threading.Thread(target=runtime.run, args=(np.ones((2, 3), np.float32),)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert seen == [1, 1, 1]


@pytest.mark.parametrize(
    ("asked", "device", "found"),
    [
        ("auto", "cpu", "fp32"),
        ("bf16", "cpu", "bf16"),
        ("auto", "mps", "fp32"),
        ("fp16", "cuda", "fp16"),
        ("fp32", "cuda:1", "fp32"),
    ],
)
def test_the_precision_suits_the_device(asked: str, device: str, found: str) -> None:
    assert torch_precision(asked, device) == found


@pytest.mark.parametrize(("able", "found"), [(True, "bf16"), (False, "fp16")])
def test_a_gpu_computes_in_bf16_where_it_can(
    able: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: able)
    assert torch_precision("auto", "cuda") == found
    if not able:
        with pytest.raises(MissingDependency, match="bf16 needs a newer GPU than cuda: take fp16"):
            torch_precision("bf16", "cuda")


def test_a_precision_that_a_device_has_not_is_refused() -> None:
    with pytest.raises(MissingDependency, match="fp16 needs a GPU; on a cpu it must be fp32 or"):
        torch_precision("fp16", "cpu")
    with pytest.raises(MissingDependency, match=r"must be one of auto, fp32, .* got 'int8'"):
        torch_precision("int8", "cpu")


def test_half_precision_tells_how_true_it_is() -> None:
    def linear() -> torch.nn.Module:
        torch.manual_seed(3)
        return torch.nn.Linear(64, 32)

    batch = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)
    tower = Tower(digest="linear", shape=(None, 64), build=linear, probes=lambda: [batch])
    exact = place(tower, Placement(runtime="torch"))
    half = place(tower, Placement(runtime="torch", precision="bf16"))
    expected, found = exact.run(batch), half.run(batch)
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    assert (exact.precision, exact.fidelity) == ("fp32", 1.0)
    assert half.precision == "bf16"
    assert half.fidelity == pytest.approx(((expected * found).sum(1) / norms).min(), abs=1e-6)
    assert 0.999 < half.fidelity < 1
