"""Reading the sound teacher's weights: int8 back to float32, and files that are not YAMNet's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.errors import WeightsError
from embedder.training.teachers import sound


class OneTensor:
    """An interpreter that holds one constant."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def get_tensor(self, _index: int) -> NDArray[Any]:
        return self.values


def described(scales: list[float], zeros: list[int], axis: int) -> dict[str, Any]:
    quantisation = {
        "scales": np.array(scales, dtype=np.float32),
        "zero_points": np.array(zeros),
        "quantized_dimension": axis,
    }
    return {"index": 0, "quantization_parameters": quantisation}


@pytest.mark.parametrize(
    ("scales", "zeros", "axis", "expected"),
    [
        ([0.5, 2.0], [0, 0], 1, [[5.0, -40.0], [0.5, 254.0]]),
        ([0.5, 2.0], [0, 1], 0, [[5.0, -10.0], [0.0, 252.0]]),
        ([0.5], [10], 0, [[0.0, -15.0], [-4.5, 58.5]]),
        ([], [], 0, [[10.0, -20.0], [1.0, 127.0]]),
    ],
)
def test_int8_weights_are_scaled(
    scales: list[float], zeros: list[int], axis: int, expected: list[list[float]]
) -> None:
    kept = OneTensor(np.array([[10, -20], [1, 127]], dtype=np.int8))
    weights = sound._dequantised(kept, described(scales, zeros, axis))
    assert weights.tolist() == expected
    assert weights.dtype == np.float32


def test_a_file_of_another_network_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sound, "_weights", lambda _interpreter: [np.zeros(3, dtype=np.float32)])
    monkeypatch.setattr(sound, "Interpreter", lambda _path: None)
    with pytest.raises(WeightsError, match=r"YAMNet has 56 weights, other\.tflite has 1"):
        sound.load_sound_teacher(tmp_path / "other.tflite")
