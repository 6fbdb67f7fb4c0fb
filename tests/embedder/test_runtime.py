"""What runs a tower."""

import threading

import numpy as np
import pytest
import torch

from embedder.errors import MissingDependency
from embedder.runtime.torch import TorchRuntime


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
