"""What a decoder accepts."""

from dataclasses import dataclass

from embedder.errors import AudioTooLong, MediaTooLarge, TooManyPixels, VideoTooLong


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one item, each checked before the work it bounds is done.

    Attributes:
        max_bytes: Encoded size.
        max_pixels: Width times height of a picture, known from its header. Of a film, of one frame,
            and also of all frames that are looked at together, which are made as small as that.
        max_seconds: Duration of a sound.
        max_samples: Samples of a sound over all its channels: what bounds memory, 4 bytes each,
            whatever rate and channel count a file claims.
        max_video_seconds: Duration of a film whose pictures are looked at.
        max_video_frames: Frames of a film, counted without decoding any.
        max_video_pixels: Pixels of all frames of a film, looked at or not: what bounds the time
            that decoding takes. The default is ten minutes of 1920 x 1080 at 30 frames a second.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 64_000_000
    max_seconds: float = 600.0
    max_samples: int = 100_000_000
    max_video_seconds: float = 600.0
    max_video_frames: int = 36_000
    max_video_pixels: int = 40_000_000_000

    def __post_init__(self) -> None:
        """Refuses limits that nothing could meet.

        Raises:
            ValueError: If a limit is not positive.
        """
        for name in self.__slots__:
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")

    def check_bytes(self, count: int) -> None:
        """Raises `MediaTooLarge` if a file has too many bytes."""
        if count > self.max_bytes:
            raise MediaTooLarge(f"media must have at most {self.max_bytes} bytes, got {count}")

    def check_pixels(self, width: int, height: int) -> None:
        """Raises `TooManyPixels` if a picture of this size is too large."""
        if width * height > self.max_pixels:
            raise TooManyPixels(
                f"a picture must have at most {self.max_pixels} pixels, "
                f"got {width} x {height} = {width * height}"
            )

    def check_duration(self, frames: int, sample_rate: int, channels: int) -> None:
        """Raises `AudioTooLong` if a sound of so many frames (samples a channel) is too long."""
        seconds = frames / sample_rate
        if seconds > self.max_seconds:
            raise AudioTooLong(
                f"a sound must last at most {self.max_seconds:g} seconds, got {seconds:.1f} or more"
            )
        if frames * channels > self.max_samples:
            raise AudioTooLong(
                f"a sound must have at most {self.max_samples} samples over all channels, "
                f"got {frames * channels} or more ({channels} channels at {sample_rate} Hz)"
            )

    def check_film(self, frames: int, seconds: float, pixels: int) -> None:
        """Raises `VideoTooLong` if a film is too long, or has too many pixels in all frames."""
        for what, value, most in (
            ("frames", frames, self.max_video_frames),
            ("seconds", seconds, self.max_video_seconds),
            ("pixels in all its frames", pixels, self.max_video_pixels),
        ):
            if value > most:
                raise VideoTooLong(f"a film may have at most {most:g} {what}, got {value:g}")


DEFAULT_LIMITS = Limits()
