"""Every error that Maskwatch raises on purpose.

MaskwatchError
 |- ConfigError          the configuration or the command line is wrong (exit code 2)
 |- SourceError          a camera, file, folder or URL gives no pictures
 |   |- SourceLost       it gave pictures and stopped
 |   |- SourceAuthError  it refused the credentials (401/403)
 |   |- SourceUnsupported  no decoder, no video stream, or a size out of bounds
 |   |- DecodeError      these bytes are not the picture they claim to be
 |- QueueError           Redis answered with something that the queue can't accept
 |   |- BrokerDown       Redis can't be reached
 |   |- StreamFull       the stream of records is at its limit
 |- WireError            a message in Redis has another form than this version writes
 |- StoreError           the record of events can't be read or written
 |   |- StoreDown        its database can't be reached, or has no room
 |   |- RecordRefused    its database doesn't take what a record holds
 |- BlobError            a picture or another file can't be kept
 |   |- BlobTooLarge     it is larger than it may be
 |- JobError             a job can't be taken, or can't be done
 |- ModelError           a model can't be used
 |   |- ChecksumMismatch   the file isn't the one its manifest names
 |   |- LabelMismatch      its labels aren't the ones expected
 |   |- EngineUnavailable  this machine lacks what the engine needs
 |- ShapeError           an array has another shape or dtype than the function takes

A message says what, where, what was expected, what was received, and what to do next; it never holds a credential.
"""

from __future__ import annotations

__all__ = [
    "BlobError",
    "BlobTooLarge",
    "BrokerDown",
    "ChecksumMismatch",
    "ConfigError",
    "DecodeError",
    "EngineUnavailable",
    "JobError",
    "LabelMismatch",
    "MaskwatchError",
    "ModelError",
    "QueueError",
    "RecordRefused",
    "ShapeError",
    "SourceAuthError",
    "SourceError",
    "SourceLost",
    "SourceUnsupported",
    "StoreDown",
    "StoreError",
    "StreamFull",
    "WireError",
]


class MaskwatchError(Exception):
    """Base of every error that this project raises on purpose."""


class ConfigError(MaskwatchError, ValueError):
    """The configuration or the command line is wrong; a person has to change it."""


class SourceError(MaskwatchError, OSError):
    """A camera, file, folder or URL gives no pictures."""


class SourceLost(SourceError):
    """A source that gave pictures has stopped giving them."""


class SourceAuthError(SourceError):
    """A source refused the credentials; trying again soon may lock the account."""


class SourceUnsupported(SourceError):
    """A source answers, but with something that can't be decoded here."""


class DecodeError(SourceError):
    """Bytes that should be a picture or a video packet are not."""


class QueueError(MaskwatchError):
    """Redis answered with something that the queue can't accept."""


class BrokerDown(QueueError, ConnectionError):
    """Redis can't be reached, or didn't answer in time."""


class StreamFull(QueueError):
    """The stream of records is at its limit, because nobody records; what isn't added must not be committed."""


class WireError(MaskwatchError, ValueError):
    """A message in Redis has another form than this version writes."""


class StoreError(MaskwatchError):
    """The record of events can't be read or written."""


class StoreDown(StoreError, ConnectionError):
    """The record's database can't be reached, is locked, or has no room; trying again later may help."""


class RecordRefused(StoreError, ValueError):
    """The record's database doesn't take what a record holds; trying again won't help."""


class BlobError(MaskwatchError, OSError):
    """A picture or another file can't be kept."""


class BlobTooLarge(BlobError):
    """A file is larger than it may be."""


class JobError(MaskwatchError, ValueError):
    """A job can't be taken as it was asked for, or can't be done; another try changes nothing."""


class ModelError(MaskwatchError):
    """A model can't be used."""


class ChecksumMismatch(ModelError):
    """A model file is not the one that its manifest names."""


class LabelMismatch(ModelError):
    """A model's labels are not the ones that the caller expects."""


class EngineUnavailable(ModelError):
    """This machine lacks what an engine needs (a package, a GPU, memory)."""


class ShapeError(MaskwatchError, ValueError):
    """An array has another shape or dtype than the function takes."""
