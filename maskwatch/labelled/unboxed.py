"""Lists of places that nobody labelled, checked by eye: finding a face there is no mistake.

The labels of scenes leave out faces, mostly blurred, turned or half hidden ones in the background. A detector that
finds one is right, so counting it as a false positive is unfair, and training on it as background is wrong.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from maskwatch.errors import ConfigError
from maskwatch.files import read_file
from maskwatch.validation import first_error

__all__ = ["Unboxed", "read_unboxed"]

MOST_BYTES = 64 << 20
"""A place takes 30 bytes."""

EXPECTED = (
    "expected JSON of a picture's name to its faces [[left, top, right, bottom], ...], or three such objects under "
    "faces, doubtful and not_faces"
)

Places = Mapping[str, tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...]]


class Unboxed(BaseModel):
    """Places by the picture's file name: left, top, right, bottom in pixels each.

    Attributes:
        faces: faces without a label, printed ones too.
        doubtful: what the eye couldn't decide: too blurred, too much hidden, or half a face.
        not_faces: what a detector took for faces and is none: hands, cloth, signs, the backs of heads.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    faces: Places = {}
    doubtful: Places = {}
    not_faces: Places = {}


def read_unboxed(path: Path) -> Unboxed:
    """Read a list, gzipped if its name ends so.

    Args:
        path: JSON with the keys `faces`, `doubtful` and `not_faces`, each `{"a.jpg": [[left, top, right, bottom],
            ...]}`, or one such object alone, which lists faces.

    Raises:
        ConfigError: if it can't be read or has another form.
    """
    content = read_file(path, MOST_BYTES, EXPECTED)
    try:
        listed = json.loads(_unpacked(content) if path.suffix == ".gz" else content)
        has_groups = isinstance(listed, dict) and listed.keys() == Unboxed.model_fields.keys()
        return Unboxed.model_validate(listed if has_groups else {"faces": listed})
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_error(error)}; {EXPECTED}") from error
    except zlib.error as error:
        raise ConfigError(f"{path}: not gzip ({error}); {EXPECTED}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error}); {EXPECTED}") from error


def _unpacked(content: bytes) -> bytes:
    """Unpack gzip; a file that was made to unpack to gigabytes is cut off, and is no JSON then."""
    return zlib.decompressobj(wbits=31).decompress(content, MOST_BYTES)
