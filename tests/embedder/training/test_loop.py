"""The training loop: the same weights however a run is cut up, and less loss at its end."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.training.loop import LoopRecipe, Losses, Parts, Stopped, train

RECIPE = LoopRecipe(steps=12, learning_rate=1e-2, warmup=2, log_every=4, save_every=5)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def batch(step: int) -> Tensor:
    return torch.randn(16, 3, generator=torch.Generator().manual_seed(step))


def loss(model: nn.Module, x: Tensor, _step: int) -> Losses:
    return {"loss": functional.mse_loss(model(x)[:, 0], x.sum(1))}


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten().float() for value in model.state_dict().values()])


def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    whole = train(network(), batch, loss, RECIPE, tmp_path / "whole")

    def stops(model: nn.Module, x: Tensor, step: int) -> Losses:
        if step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return loss(model, x, step)

    with pytest.raises(Stopped, match="after step 7 of 12"):
        train(network(), batch, stops, RECIPE, tmp_path / "cut")
    resumed = train(network(), batch, loss, RECIPE, tmp_path / "cut")
    assert torch.equal(weights(resumed), weights(whole))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = train(network(), batch, loss, RECIPE, tmp_path)

    def fails(step: int) -> Tensor:
        raise AssertionError(step)

    assert torch.equal(weights(train(network(), fails, loss, RECIPE, tmp_path)), weights(first))


def test_signals_are_the_caller_s_again_afterwards(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    train(network(), batch, loss, RECIPE, tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


def test_two_parts_give_the_gradient_of_the_whole(tmp_path: Path) -> None:
    def plain() -> nn.Module:
        torch.manual_seed(0)
        return nn.Linear(3, 1)

    def split(step: int) -> Parts[Tensor]:
        return Parts(torch.split(batch(step), 8))

    whole = train(plain(), batch, loss, RECIPE, tmp_path / "whole")
    halves = train(plain(), split, loss, RECIPE, tmp_path / "halves")
    torch.testing.assert_close(weights(halves), weights(whole), rtol=1e-5, atol=1e-6)


def test_parts_average_the_running_statistics(tmp_path: Path) -> None:
    norm = nn.BatchNorm1d(1, momentum=1.0)
    parts = Parts([torch.tensor([[0.0], [2.0]]), torch.tensor([[4.0], [6.0]])])

    def sums(model: nn.Module, x: Tensor, _step: int) -> Losses:
        return {"loss": model(x).sum()}

    recipe = LoopRecipe(steps=1, learning_rate=0.0, ema=0.0)
    train(norm, lambda _: parts, sums, recipe, tmp_path)
    torch.testing.assert_close(norm.running_mean, torch.tensor([3.0]))


def test_learning_pays_and_is_logged(tmp_path: Path) -> None:
    recipe = LoopRecipe(steps=200, learning_rate=3e-2, warmup=10, log_every=50, ema=0.9)
    train(nn.Linear(3, 1), batch, loss, recipe, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [50, 100, 150, 200]
    assert lines[-1]["loss"] < 0.1


def test_the_average_of_still_weights_is_those_weights(tmp_path: Path) -> None:
    model = nn.Linear(3, 1)
    recipe = LoopRecipe(steps=5, learning_rate=0.0, weight_decay=0.0, ema=0.9)
    averaged = train(model, batch, loss, recipe, tmp_path)
    torch.testing.assert_close(weights(averaged), weights(model))
