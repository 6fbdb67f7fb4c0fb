"""The one training loop: seeded, resumable, logged, and polite to signals.

A stage hands over a model, a stream of batches and a loss; the loop does the rest:

* step s always trains on `batches(s)`, so a run that was stopped and resumed sees what an unbroken
  run sees;
* the checkpoint is written every so often, at the end, and when SIGINT or SIGTERM asks the run to
  stop;
* one JSON line per logging interval goes beside the checkpoint.
"""

import json
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

import torch
from rich.progress import Progress, TaskID
from torch import Tensor, nn

logger = logging.getLogger(__name__)

Batch = TypeVar("Batch")
Item = TypeVar("Item")
Model = TypeVar("Model", bound=nn.Module)
Losses = Mapping[str, Tensor]
"""Named scalar losses; the loop minimises "loss" and logs them all."""


Loss = Callable[[nn.Module, Batch, int], Losses]
"""Called with the model, a batch (or one of its parts) and the step."""


class Parts(list[Batch]):
    """A batch in parts of equal size: each has a thread of its own, and the losses are averaged.

    On a shared CPU two threads with half a batch each outrun torch's own two threads, which wait
    for each other at every operation; call `torch.set_num_threads(1)` along with it. Every part
    sees the batch statistics of its own half; the running ones are averaged.
    """


@dataclass(frozen=True, slots=True)
class LoopRecipe:
    """The numbers of one run of the loop.

    Attributes:
        steps: How many batches to train on.
        learning_rate: Peak of AdamW's learning rate; warm-up is linear, the rest a cosine to
            `final_share` of it.
        weight_decay: AdamW's, applied to matrices and kernels, not to biases, gains or offsets.
        warmup: Steps of warm-up.
        final_share: Share of the peak left at the last step.
        gradient_norm: Gradients are clipped to this L2 norm.
        ema: Decay of the averaged weights, approached as (1 + s) / (10 + s) over the first steps s;
            0 keeps no average.
        log_every: Steps between two lines of the log.
        save_every: Steps between two checkpoints.
        seed: Seeds torch's generator before the first step.
    """

    steps: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: int = 100
    final_share: float = 0.01
    gradient_norm: float = 1.0
    ema: float = 0.999
    log_every: int = 20
    save_every: int = 200
    seed: int = 0


class Stopped(KeyboardInterrupt):
    """A signal asked the run to stop; its checkpoint is saved and the same call resumes it."""


def train(
    model: Model,
    batches: Callable[[int], Batch | Parts[Batch]],
    loss: Loss[Batch],
    recipe: LoopRecipe,
    folder: Path,
) -> Model:
    """Trains a model in place, from its checkpoint in `folder` if there is one.

    Args:
        model: Trained in place; only parameters that require gradients are.
        batches: Builds the batch of a step, from that step alone; called ahead, in another thread.
        loss: Called with the model, a batch and the step; the entry "loss" is minimised. A `Parts`
            reaches it part by part, each with a copy of the model that shares its parameters.
        recipe: The numbers.
        folder: Where `checkpoint.pt` and `log.jsonl` are kept.

    Returns:
        The averaged model, or `model` itself where the recipe keeps no average.

    Raises:
        Stopped: If SIGINT or SIGTERM arrived; the checkpoint is saved first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    run = _Run(model, recipe, folder / "checkpoint.pt")
    run.resume()
    began = time.monotonic()
    with _stop_asked() as stop, _progress(folder.name, recipe.steps) as advance:
        for step, batch in _ahead(batches, run.step, recipe.steps):
            losses = run.update(loss, batch)
            advance(run.step)
            last, halted = run.step == recipe.steps, stop()
            if last or run.step % recipe.log_every == 0:
                _log(folder, step, run.rate(step), losses, time.monotonic() - began)
            if last or halted or run.step % recipe.save_every == 0:
                run.save()
            if halted:
                raise Stopped(f"after step {run.step} of {recipe.steps}; run again to resume")
    return run.averaged


class _Run(Generic[Model]):
    """Model, optimiser, average and step: what a checkpoint holds."""

    def __init__(self, model: Model, recipe: LoopRecipe, checkpoint: Path) -> None:
        self.model, self.recipe, self.checkpoint = model, recipe, checkpoint
        self.averaged = deepcopy(model).eval() if recipe.ema else model
        self.step = 0
        self.replicas: list[nn.Module] = [model]
        self.pool = ThreadPoolExecutor()
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": [p for p in self.trained if p.ndim > 1],
                    "weight_decay": recipe.weight_decay,
                },
                {"params": [p for p in self.trained if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
        )

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step."""
        recipe = self.recipe
        if step < recipe.warmup:
            return recipe.learning_rate * (step + 1) / recipe.warmup
        done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
        return recipe.learning_rate * (recipe.final_share + (1.0 - recipe.final_share) * cosine)

    def update(self, loss: Loss[Batch], batch: Batch | Parts[Batch]) -> Losses:
        """Takes one step down the gradient."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(self.step)
        losses = self._gradients(loss, batch if isinstance(batch, Parts) else Parts([batch]))
        nn.utils.clip_grad_norm_(self.trained, self.recipe.gradient_norm)
        self.optimiser.step()
        if self.recipe.ema:
            self._average()
        self.step += 1
        return losses

    def _gradients(self, loss: Loss[Batch], parts: Parts[Batch]) -> Losses:
        """Leaves the mean of the parts' gradients in the model."""
        while len(self.replicas) < len(parts):
            self.replicas.append(_replica(self.model))

        def backward(model: nn.Module, part: Batch) -> Losses:
            model.train()
            model.zero_grad(set_to_none=True)
            losses = loss(model, part, self.step)
            (losses["loss"] / len(parts)).backward()  # type: ignore[no-untyped-call]
            return {name: value.detach() for name, value in losses.items()}

        found = list(self.pool.map(backward, self.replicas, parts))
        self._gather()
        return {name: torch.stack([part[name] for part in found]).mean() for name in found[0]}

    @torch.no_grad()
    def _gather(self) -> None:
        """Adds the replicas' gradients to the model's, and averages their running statistics."""
        for mine, *others in zip(*(r.parameters() for r in self.replicas), strict=True):
            for other in others:
                if mine.grad is not None and other.grad is not None:
                    mine.grad += other.grad
        for mine, *others in zip(*(r.buffers() for r in self.replicas), strict=True):
            if others and mine.is_floating_point():
                mine.copy_(torch.stack([mine, *others]).mean(0))
            for other in others:
                other.copy_(mine)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.recipe.ema, (1.0 + self.step) / (10.0 + self.step))
        current = self.model.state_dict()
        for name, kept in self.averaged.state_dict().items():
            if kept.is_floating_point():
                kept.lerp_(current[name], 1.0 - decay)
            else:
                kept.copy_(current[name])

    def save(self) -> None:
        """Writes the checkpoint under a temporary name, then renames it."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": torch.get_rng_state(),
        }
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.checkpoint)

    def resume(self) -> None:
        """Takes up the checkpoint if there is one."""
        if not self.checkpoint.exists():
            return
        state: dict[str, Any] = torch.load(self.checkpoint, weights_only=True)
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["generator"])
        logger.info("resuming %s at step %d", self.checkpoint.parent.name, self.step)


def _replica(model: nn.Module) -> nn.Module:
    """Returns a copy that shares the parameters' memory, but not their gradients."""
    copy = deepcopy(model)
    for mine, theirs in zip(copy.parameters(), model.parameters(), strict=True):
        mine.data = theirs.data
    return copy


def _ahead(
    batches: Callable[[int], Item], first: int, last: int, depth: int = 3
) -> Iterator[tuple[int, Item]]:
    """Yields (step, batch), with the next batches being built in another thread."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = [pool.submit(batches, step) for step in range(first, min(first + depth, last))]
        try:
            for step in range(first, last):
                batch = waiting.pop(0).result()
                if step + depth < last:
                    waiting.append(pool.submit(batches, step + depth))
                yield step, batch
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _log(folder: Path, step: int, rate: float, losses: Losses, seconds: float) -> None:
    line = {name: round(value.item(), 5) for name, value in losses.items()}
    line |= {"step": step + 1, "learning_rate": float(f"{rate:.4g}"), "seconds": round(seconds, 1)}
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


@contextmanager
def _progress(name: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Draws a progress bar on a terminal, and nothing in CI or into a file."""
    with Progress(disable=bool(os.environ.get("CI"))) as bar:
        task: TaskID = bar.add_task(name, total=steps)
        yield lambda step: bar.update(task, completed=step)


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Notes SIGINT and SIGTERM instead of dying at once; puts the old handlers back."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
