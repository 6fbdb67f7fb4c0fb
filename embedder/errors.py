"""What can go wrong between bytes and vectors.

EmbedderError
├── MediaError                 the item is at fault; others in its batch are not
│   ├── UndecodableMedia       the bytes are not the media they claim to be
│   ├── InvalidMedia           decoded, but empty or not finite
│   ├── UnsupportedModality    the model has no tower for this modality
│   ├── MediaTooLarge          more bytes than the limit
│   ├── TooManyPixels          more pixels than the limit
│   ├── AudioTooLong           more seconds than the limit
│   └── VideoTooLong           more seconds, frames or pixels of all frames than the limit
├── ModelNotFound              no such name in the catalogue
├── WeightsError               weights missing, damaged or of another architecture
├── Unfaithful                 a runtime or a precision computes too unlike torch in float32
├── Untranslatable             a runtime was asked for that can't compute what a model does
├── EncodingFailed             the model gave a zero or non-finite vector
├── ConditioningError          what was asked of conditioning or density breaks a rule
│   ├── BridgeNotFitted        this bridge has nothing to stand on in this space
│   ├── FittedElsewhere        bridges or a density were fitted in another space
│   ├── TooFewVectors          too few vectors to fit anything to
│   ├── ProfileNotFound        no target has this id
│   ├── AdapterNotFitted       the target listens to another space, and nothing leads there yet
│   ├── UnfitForTarget         a vector or a call is not as the target takes it
│   └── InputsCancel           the weighted inputs of a condition add up to nothing
└── MissingDependency          an optional package is needed; the message has the install line

Every message states the rule and the offending value.
"""


class EmbedderError(Exception):
    """Anything this package refuses or fails to do."""


class MediaError(EmbedderError):
    """One item cannot be embedded; the rest of its batch can."""


class UndecodableMedia(MediaError):
    """The bytes could not be decoded as the media that was asked for."""


class InvalidMedia(MediaError):
    """The content is decoded but empty, of a wrong shape, or not finite."""


class UnsupportedModality(MediaError):
    """The model cannot embed this modality."""


class MediaTooLarge(MediaError):
    """The encoded media has more bytes than the limit."""


class TooManyPixels(MediaError):
    """The picture has more pixels than the limit; it was refused before decoding."""


class AudioTooLong(MediaError):
    """The sound lasts longer than the limit."""


class VideoTooLong(MediaError):
    """The film lasts longer, or has more to decode, than the limit; it was not decoded."""


class ModelNotFound(EmbedderError):
    """The catalogue has no model of this name."""


class WeightsError(EmbedderError):
    """A weights file is missing, damaged, or made for another architecture."""


class Unfaithful(EmbedderError):
    """A runtime or a precision gives vectors too unlike those of torch in float32."""


class Untranslatable(EmbedderError):
    """A runtime that was asked for by name can't compute what a model does."""


class EncodingFailed(EmbedderError):
    """A model answered with a vector that is zero or not finite."""


class ConditioningError(EmbedderError):
    """What was asked of conditioning or density breaks a rule that the message states."""


class BridgeNotFitted(ConditioningError):
    """A bridge was asked for by name that has nothing to stand on in this space."""


class FittedElsewhere(ConditioningError):
    """Bridges or a density belong to another space than the vectors they are to be used on."""


class TooFewVectors(ConditioningError):
    """There are too few vectors to fit anything to."""


class ProfileNotFound(ConditioningError):
    """No target of conditioning has this id."""


class AdapterNotFitted(ConditioningError):
    """A target needs what `kindred profile fit` makes, and nothing is installed for this space."""


class UnfitForTarget(ConditioningError):
    """A vector, a tensor or a call is not of the shape, type or kind that a target takes."""


class InputsCancel(ConditioningError):
    """The weighted inputs of a condition add up to a vector without a direction."""


class MissingDependency(EmbedderError):
    """An optional package is not installed, or not in the build that is needed."""
