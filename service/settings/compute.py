"""Which models are served, and what of the machine they and searches may use."""

import os

from pydantic import BaseModel, Field

from embedder.runtime.base import PRECISIONS
from service.settings.lists import Names
from service.settings.units import MIB


class ComputeSettings(BaseModel):
    """Models, runtimes, threads and caches; searches beside them."""

    models: Names = Field(
        default=("kindred-mini",),
        min_length=1,
        description="Models to serve, the default one first.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="Threads of forward passes, of all together; 0 means one per CPU of this "
        "process.",
    )
    passes: int = Field(
        default=0,
        ge=0,
        description="Forward passes of pictures or sounds at a time, which share the threads, and "
        "of bulk as many while nobody else asks; of texts there is one of either. 0 means two on a "
        "CPU, one elsewhere.",
    )
    runtime: str = Field(
        default="auto",
        pattern="^(auto|openvino|onnx|torch)$",
        description="What runs forward passes: openvino, onnx, torch, or auto for the fastest "
        "installed.",
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(cpu|cuda(:\d+)?|mps)$",
        description="Where forward passes run: cpu, cuda, cuda:1 or mps.",
    )
    precision: str = Field(
        default="auto",
        pattern=f"^({'|'.join(PRECISIONS)})$",
        description="What forward passes compute in: fp32, bf16, fp16, or auto for what suits the "
        "device. Vectors stay comparable: it is no part of a space.",
    )
    least_fidelity: float = Field(
        default=0.999,
        ge=-1,
        le=1,
        description="Least cosine to float32 that a runtime or precision must have on probes of a "
        "model; below, the model is not served.",
    )
    vector_cache_bytes: int = Field(
        default=64 * MIB,
        ge=0,
        description="Bytes of vectors remembered by what they were made of, so that it is not "
        "embedded again; 0 remembers none.",
    )
    exact_rows: int = Field(
        default=50_000,
        ge=0,
        description="Up to so many items of a modality are compared one by one; beyond, a "
        "collection builds approximate indexes.",
    )
    search_threads: int = Field(
        default=2, ge=1, description="Threads that compare many items together."
    )
    recall_target: float = Field(
        default=0.97,
        gt=0,
        le=1,
        description="Share of the true ten nearest that approximate searches of a new collection "
        "must find.",
    )
    density_items: int = Field(
        default=10_000,
        ge=20,
        description="Items of a modality, drawn from all, that a density is fitted to.",
    )

    @property
    def forward_threads(self) -> int:
        """Threads of all forward passes, resolved for this machine."""
        return self.threads or len(os.sched_getaffinity(0))

    @property
    def forward_passes(self) -> int:
        """Forward passes of pictures or sounds at a time, resolved for this machine."""
        return self.passes or (min(2, self.forward_threads) if self.device == "cpu" else 1)
