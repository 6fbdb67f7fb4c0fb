"""How large media may be, how they are cut in windows, and what decoding them may cost."""

from pydantic import BaseModel, Field

from service.settings.units import MIB


class MediaSettings(BaseModel):
    """Bounds of one item, and of the processes that decode it."""

    max_item_bytes: int = Field(default=32 * MIB, ge=1, description="Bytes of one encoded item.")
    max_pixels: int = Field(
        default=64_000_000, ge=1, description="Pixels of a picture, checked before it is decoded."
    )
    max_audio_seconds: float = Field(default=600.0, gt=0, description="Seconds of a sound.")
    max_video_seconds: float = Field(default=600.0, gt=0, description="Seconds of a film.")
    max_video_frames: int = Field(
        default=36_000, ge=1, description="Frames of a film, counted before any is decoded."
    )
    max_video_pixels: int = Field(
        default=40_000_000_000,
        ge=1,
        description="Pixels of all frames of a film together: what bounds the time to decode it.",
    )
    window_seconds: float = Field(
        default=5.0,
        gt=0,
        description="Length of the windows of longer sounds and films; they overlap by half.",
    )
    max_windows: int = Field(
        default=256, ge=2, description="Windows of one item; of what is so long, they are longer."
    )
    decode_threads: int = Field(
        default=2,
        ge=1,
        description="Threads that decode and preprocess beside the forward pass; as many do so "
        "for bulk.",
    )
    decode_workers: int = Field(
        default=2,
        ge=0,
        description="Processes in which media are decoded, so that a decoder that hangs or dies "
        "costs its item alone; as many decode bulk. 0 decodes in threads of the server, at its "
        "risk.",
    )
    bulk_niceness: int = Field(
        default=10,
        ge=0,
        le=19,
        description="How much lower the priority is of processes that decode bulk, and on Linux of "
        "its forward passes.",
    )
    decode_seconds: float = Field(
        default=30.0, gt=0, description="Time to decode one item before its process is ended."
    )
    decode_bytes: int = Field(
        default=2048 * MIB,
        ge=16 * MIB,
        description="Memory that decoding one item may take in its process; kept to on Linux.",
    )
