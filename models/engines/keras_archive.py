"""Looking through a `.keras` archive before Keras does: code, foreign classes, bombs and ways out of it are refused.

Keras' `safe_mode` refuses lambdas, but a configuration may also name any importable class with any arguments, and the
weights may point to other files of this machine. So only what networks of pictures are made of is let through, and
Keras is handed a new archive that holds exactly what was looked at.

Source: CVE-2025-1550 and CVE-2025-9906 (code through `config.json`), CVE-2025-12058 (files read through it).
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskwatch.errors import ModelError

__all__ = ["checked_archive", "load_archive"]

_MEMBERS: Mapping[str, int] = {"metadata.json": 64 << 10, "config.json": 4 << 20, "model.weights.h5": 256 << 20}
"""What an archive holds, and the most bytes of each once unpacked."""

_LAYERS = frozenset(
    {
        "InputLayer", "Functional", "Sequential", "Rescaling", "Normalization", "Resizing", "CenterCrop", "Conv2D",
        "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "BatchNormalization", "LayerNormalization",
        "GroupNormalization", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Activation", "ZeroPadding2D",
        "Cropping2D", "UpSampling2D", "MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D",
        "GlobalAveragePooling2D", "Flatten", "Reshape", "Permute", "Dense", "Dropout", "SpatialDropout2D", "Add",
        "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Identity",
    }
)  # fmt: skip
"""Layers that compute with nothing but numbers. `Lambda`, `TFSMLayer`, `TorchModuleWrapper` and the like hold code."""

_LAYER_MODULES = frozenset({"keras", "keras.layers", "keras.models", "keras.src.models.functional",
                            "keras.src.models.sequential"})  # fmt: skip
_PLAIN_MODULES = frozenset({"keras.initializers", "keras.regularizers", "keras.constraints"})
_PLAIN_CLASSES = frozenset({"__keras_tensor__", "__tuple__", "DTypePolicy"})

_MOST_NUMBER = 65_536
"""Of filters, units, sides: beyond it a layer of one line would take gigabytes."""

_FREE_KEYS = frozenset({"seed", "shared_object_id"})
"""Numbers under these keys size nothing."""

_MOST_LAYERS = 2_000
_MOST_NODES = 20_000
_MOST_WEIGHT_BYTES = 256 << 20


def checked_archive(content: bytes, where: str) -> bytes:
    """Look through an archive and make a new one of what may be loaded; how to compile it for training is left out.

    Args:
        content: the whole `.keras` file, checked against its checksum.
        where: which one, for the error.

    Returns:
        A `.keras` file with the same network.

    Raises:
        ModelError: if it is no such archive, is damaged, or holds what isn't accepted.
    """
    try:
        parts = _unpack(content)
        config = json.loads(parts["config.json"])
        metadata = json.loads(parts["metadata.json"])
        if not isinstance(config, dict) or not isinstance(metadata, dict):
            raise _Refused("its description is no JSON object")
        _check_config(config)
        _check_weights(parts["model.weights.h5"])
    except _Refused as refused:
        reason = str(refused)
    except zipfile.BadZipFile as error:
        reason = f"{_looks_like(content)}: {error}"
    except RecursionError:
        reason = "it is nested too deep"
    except (ValueError, OSError, KeyError, RuntimeError, EOFError, NotImplementedError, zipfile.LargeZipFile) as error:
        reason = f"damaged: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    else:
        return _pack(metadata, config, parts["model.weights.h5"])
    raise ModelError(f"model file {where}: refused before Keras saw it ({reason}); install the model again")


def load_archive(content: bytes, where: str) -> Any:
    """Parse a `.keras` archive; what is no plain network of pictures is refused before Keras sees it.

    The bytes go through a private folder because Keras reads paths only, and the original could change after its check.

    Raises:
        ModelError: if Keras can't read it, or it holds code.
    """
    import keras

    with tempfile.TemporaryDirectory(prefix="maskwatch-") as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(checked_archive(content, where))
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except (ValueError, TypeError, KeyError, OSError, ImportError, AttributeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"model file {where}: Keras refuses it ({reason}); install the model again") from error


class _Refused(Exception):
    """What is in the archive isn't accepted; the text says what."""


def _looks_like(content: bytes) -> str:
    if content.startswith(b"\x89HDF"):
        return "an HDF5 file, which can hold code"
    if content[:1] == b"\x80":
        return "a pickle, which is code"
    return "no .keras archive"


def _unpack(content: bytes) -> dict[str, bytes]:
    """Return the members by name.

    Raises:
        _Refused: if there are others, or one is too large; BadZipFile and others: if it is damaged.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [info.filename for info in archive.infolist()]
        if sorted(names) != sorted(_MEMBERS):
            raise _Refused(f"expected {', '.join(_MEMBERS)}, received {', '.join(map(repr, names[:10]))}")
        for info in archive.infolist():
            if info.file_size > _MEMBERS[info.filename]:
                raise _Refused(f"{info.filename} unpacks to {info.file_size} bytes, at most {_MEMBERS[info.filename]}")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                raise _Refused(f"{info.filename} is encrypted, or packed in an unknown way")
        # A member yields at most as many bytes as it says, whatever its compressed data would give.
        return {name: archive.read(name) for name in names}


def _pack(metadata: Mapping[str, Any], config: Mapping[str, Any], weights: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", json.dumps({**config, "compile_config": None}))
        archive.writestr("model.weights.h5", weights)
    return buffer.getvalue()


def _check_config(config: dict[str, Any]) -> None:
    """Refuse classes that aren't known to be harmless, and sizes that no network of ours has.

    Raises:
        _Refused: if there is one.
    """
    layers = 0
    waiting: list[tuple[str, Any]] = [(key, value) for key, value in config.items() if key != "compile_config"]
    _check_class(config)
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                layers += _check_class(value)
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, one) for one in value]
        elif isinstance(value, int | float) and not abs(value) <= _MOST_NUMBER and key not in _FREE_KEYS:
            raise _Refused(f"{key} of {value}, expected at most {_MOST_NUMBER}")
    if layers > _MOST_LAYERS:
        raise _Refused(f"{layers} layers, expected at most {_MOST_LAYERS}")


def _check_class(said: Mapping[str, Any]) -> int:
    """Refuse a class that isn't known to be harmless, and return 1 for a layer, 0 for anything else.

    Raises:
        _Refused: naming it.
    """
    name, module = said.get("class_name"), said.get("module")
    if not isinstance(name, str) or said.get("registered_name") not in (None, name):
        raise _Refused(f"a class of its own: {said.get('registered_name') or name!r}")
    if name in _LAYERS and module in _LAYER_MODULES:
        return 1
    if name in _PLAIN_CLASSES and module in (None, "keras"):
        return 0
    if module in _PLAIN_MODULES and name.isidentifier():
        return 0
    if name == "Lambda":
        raise _Refused("a Lambda layer, which is code")
    raise _Refused(f"{name!r} of {module!r} isn't one of the accepted layers")


def _check_weights(content: bytes) -> None:
    """Refuse weights that lead out of their file, or unpack to more than they may.

    Raises:
        _Refused: if they do; OSError and others: if they are damaged.
    """
    import h5py

    with h5py.File(io.BytesIO(content), "r") as file:
        waiting: list[Any] = [file]
        seen = {h5py.h5o.get_info(file.id).addr}
        total = 0
        while waiting:
            group = waiting.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise _Refused(f"its weights {name!r} are a link to elsewhere")
                node = group[name]
                address = h5py.h5o.get_info(node.id).addr
                if address in seen or len(seen) > _MOST_NODES:
                    raise _Refused(f"its weights {name!r} are linked more than once, or there are too many")
                seen.add(address)
                if isinstance(node, h5py.Group):
                    waiting.append(node)
                    continue
                if node.external or node.is_virtual or node.dtype.kind not in "fiub":
                    raise _Refused(f"its weights {name!r} lie outside of it, or aren't numbers")
                total += int(node.nbytes)
                if total > _MOST_WEIGHT_BYTES:
                    raise _Refused(f"its weights unpack to more than {_MOST_WEIGHT_BYTES} bytes")
