"""Model files made to do harm, with manifests that fit them: each is refused with a clear error, and nothing breaks."""

from __future__ import annotations

import contextlib
import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import h5py
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from maskwatch.errors import ChecksumMismatch, ModelError
from models.engines.keras_archive import checked_archive
from models.engines.litert_check import check_litert
from models.manifest import EngineName, ModelKind, parse_manifest
from models.registry import SHIPPED, SHIPPED_ROOT, Registry
from models.trial import try_model
from tests.support_models import reseal
from tests.support_store import copy_shipped, entry_of, litert_file

FACE = SHIPPED_ROOT / SHIPPED[ModelKind.DETECTOR]
KERAS = next(FACE.glob("*.keras"))

SOFTMAX = schema.BuiltinOperator.SOFTMAX

Members = dict[str, bytes]


def members() -> Members:
    """The parts of a good archive."""
    with zipfile.ZipFile(KERAS) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(parts: Members | list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that comes twice
        for name, content in parts.items() if isinstance(parts, dict) else parts:
            made.writestr(name, content)
    return buffer.getvalue()


def with_config(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A good archive with another description."""
    parts = members()
    config = json.loads(parts["config.json"])
    change(config)
    return archive(parts | {"config.json": json.dumps(config).encode()})


def with_weights(write: Callable[[h5py.File], None]) -> bytes:
    """A good archive with other weights."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return archive(members() | {"model.weights.h5": buffer.getvalue()})


def layer(**values: object) -> Callable[[dict[str, Any]], None]:
    """Change the second layer of a description."""
    return lambda config: config["config"]["layers"][1].update(values)


def setting(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Change a setting of the third layer, a convolution."""
    return lambda config: config["config"]["layers"][2]["config"].update({key: value})


LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
FUNCTION = {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_good_archive_is_made_anew_without_its_training(method: int) -> None:
    made = checked_archive(archive(members(), method), "here")
    with zipfile.ZipFile(io.BytesIO(made)) as again:
        assert sorted(again.namelist()) == sorted(members())
        assert again.read("model.weights.h5") == members()["model.weights.h5"]
        config = json.loads(again.read("config.json"))
    assert config.pop("compile_config") is None
    wanted = json.loads(members()["config.json"])
    wanted.pop("compile_config")
    assert config == wanted


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no .keras archive"),
        (b"\x80\x04\x95\x1d\x00", "a pickle, which is code"),
        (members()["model.weights.h5"], "an HDF5 file, which can hold code"),
        (KERAS.read_bytes()[:-1000], "no .keras archive"),
        (archive(members() | {"../../evil.py": b"import os"}), "'../../evil.py'"),
        (archive(members() | {"assets/vocabulary.txt": b"x"}), "'assets/vocabulary.txt'"),
        (archive([*members().items(), ("config.json", b"{}")]), "expected metadata.json, config.json"),
        (archive({name: part for name, part in members().items() if name != "config.json"}), "expected metadata.json"),
        (archive(members(), zipfile.ZIP_BZIP2), "packed in an unknown way"),
        (archive(members() | {"config.json": bytes(10 << 20)}), "config.json unpacks to 10485760 bytes"),
        (archive(members() | {"config.json": b"[" * 200_000}), "nested too deep"),
        (archive(members() | {"config.json": b"[]"}), "no JSON object"),
        (archive(members() | {"config.json": b"\x80\x04."}), "damaged"),
        (archive(members() | {"model.weights.h5": b"\x80\x04."}), "damaged"),
    ],
    ids=["empty", "pickle", "hdf5", "cut", "path", "assets", "twice", "missing", "bzip2", "bomb", "deep", "list",
         "no-json", "no-weights"],
)  # fmt: skip
def test_archive_of_another_form_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(ModelError, match=r"refused before Keras saw it .*install the model again") as caught:
        checked_archive(content, "here")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (layer(class_name="Lambda", config={"name": "x", "function": LAMBDA}), "a Lambda layer, which is code"),
        (layer(class_name="TFSMLayer", config={"filepath": "/tmp/saved"}), "'TFSMLayer' of 'keras.layers'"),
        (layer(class_name="TorchModuleWrapper"), "'TorchModuleWrapper'"),
        (layer(class_name="TimeDistributed", config={"layer": {"class_name": "Lambda"}}), "'TimeDistributed'"),
        (layer(module="os", class_name="system"), "'system' of 'os'"),
        (layer(module="keras.src.utils.file_utils", class_name="get_file"), "'get_file'"),
        (layer(module="subprocess", class_name="Conv2D"), "'Conv2D' of 'subprocess'"),
        (layer(registered_name="Custom>Evil"), "a class of its own: 'Custom>Evil'"),
        (setting("activation", FUNCTION), "'function' of 'builtins'"),
        (setting("kernel_initializer", {"module": "os", "class_name": "popen", "config": {}}), "'popen' of 'os'"),
        (setting("filters", 10**9), "filters of 1000000000, expected at most 65536"),
        (setting("kernel_size", [10**9, -(10**9)]), "kernel_size of"),
        (setting("filters", float("nan")), "filters of nan"),
        (lambda config: config.update(class_name="Evil", module="evil", registered_name=None), "'Evil' of 'evil'"),
        (lambda config: config.update(config={"layers": [{"class_name": "Dense", "module": "keras"}] * 3000}),
         "3000 layers"),
    ],
)  # fmt: skip
def test_description_that_holds_code_or_asks_for_too_much_is_refused(
    change: Callable[[dict[str, Any]], None], says: str
) -> None:
    with pytest.raises(ModelError) as caught:
        checked_archive(with_config(change), "here")
    assert says in str(caught.value)


def outside(file: h5py.File) -> None:
    file["weights"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file: h5py.File) -> None:
    file["weights"] = h5py.SoftLink("/elsewhere")


def raw(file: h5py.File) -> None:
    file.create_dataset("weights", (16,), np.uint8, external=[("/etc/passwd", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "weights", (4,))
    file.create_virtual_dataset("weights", layout)


def bomb(file: h5py.File) -> None:
    file.create_dataset("weights", (1 << 40,), np.float32, chunks=(1 << 20,), compression="gzip")


def objects(file: h5py.File) -> None:
    file.create_dataset("weights", (2,), h5py.string_dtype())


def endless(file: h5py.File) -> None:
    file.create_group("one")["again"] = file["/"]


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (outside, "a link to elsewhere"),
        (soft, "a link to elsewhere"),
        (raw, "lie outside of it"),
        (virtual, "lie outside of it"),
        (bomb, "unpack to more than"),
        (objects, "aren't numbers"),
        (endless, "linked more than once"),
    ],
)
def test_weights_that_lead_out_or_explode_are_refused(write: Callable[[h5py.File], None], says: str) -> None:
    with pytest.raises(ModelError) as caught:
        checked_archive(with_weights(write), "here")
    assert says in str(caught.value)


def litert(change: Callable[[Any], None] = lambda _model: None) -> bytes:
    """A good LiteRT file with something in it changed."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(litert_file(FACE).read_bytes(), 0))
    change(model)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def custom(model: Any) -> None:
    model.operatorCodes[0].builtinCode = 32
    model.operatorCodes[0].deprecatedBuiltinCode = 32
    model.operatorCodes[0].customCode = b"FlexPyFunc"


def two_graphs(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def huge(model: Any) -> None:
    model.subgraphs[0].tensors[3].shape = [1, 60_000, 60_000, 64]


def negative(model: Any) -> None:
    model.subgraphs[0].tensors[3].shape = [1, -5, 8, 8]


def far_tensor(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [2**31 - 1]


def far_buffer(model: Any) -> None:
    model.subgraphs[0].tensors[0].buffer = 2**31


def far_code(model: Any) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 77


def far_weights(model: Any) -> None:
    model.buffers[1].offset, model.buffers[1].size = 1 << 40, 100


@pytest.mark.parametrize("name", ["maskwatch-face", "maskwatch-mask"])
def test_shipped_files_are_let_through(name: str) -> None:
    for path in (SHIPPED_ROOT / name).glob("*.tflite"):
        check_litert(path.read_bytes(), path.name)
    check_litert(litert(), "packed again")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (custom, "operations that aren't built in"),
        (two_graphs, "expected one graph, received 2"),
        (huge, "a tensor of 1x60000x60000x64 is more than"),
        (negative, "a tensor of 1x-5x8x8"),
        (far_tensor, "an operation has no tensor"),
        (far_buffer, "a tensor has no buffer"),
        (far_code, "an operation has no code"),
        (far_weights, "lie outside of its tables"),
    ],
)
def test_litert_file_that_asks_for_what_it_may_not_have_is_refused(change: Callable[[Any], None], says: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_litert(litert(change), "here")
    assert says in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x80\x04\x95pickle", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" * 9])
def test_what_is_no_litert_file_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="expected the mark b'TFL3'"):
        check_litert(content, "here")


def test_litert_file_cut_anywhere_never_breaks_the_check() -> None:
    content = litert_file(FACE).read_bytes()
    for length in range(8, len(content), 997):
        with pytest.raises(ModelError):
            check_litert(content[:length], "here")


def test_random_changes_never_break_the_check() -> None:
    content = litert_file(FACE).read_bytes()
    rng = np.random.default_rng(4)
    for _ in range(100):
        changed = bytearray(content)
        for at in rng.integers(0, len(content), 4):
            changed[at] = rng.integers(0, 256)
        with contextlib.suppress(ModelError):
            check_litert(bytes(changed), "here")


FAKE_RUNTIME = """
import os, time
class Interpreter:
    def __init__(self, **_kwargs):
        {act}
"""


def with_runtime(folder: Path, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """Let processes that are started from here find another LiteRT, which does something bad."""
    (folder / "ai_edge_litert").mkdir()
    (folder / "ai_edge_litert" / "__init__.py").touch()
    (folder / "ai_edge_litert" / "interpreter.py").write_text(FAKE_RUNTIME.format(act=act))
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.mark.parametrize(
    ("act", "says"),
    [
        ("os.kill(os.getpid(), 11)", "broke down over it (SIGSEGV)"),
        ("os.abort()", "broke down over it (SIGABRT)"),
        ("os._exit(7)", "broke down over it (exit code 7)"),
        ("print('{}'); os._exit(0)", "broke down over it (exit code 0)"),
        ("bytearray(1 << 40)", "wants more memory"),
        ("time.sleep(60)", "within 2 s, received none"),
    ],
)
def test_runtime_that_a_file_breaks_takes_only_the_trial_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, says: str
) -> None:
    entry = Registry().get(SHIPPED[ModelKind.CLASSIFIER])
    with_runtime(tmp_path, monkeypatch, act)
    with pytest.raises(ModelError) as caught:
        try_model(entry, EngineName.LITERT, within_s=2.0 if "sleep" in act else 60.0)
    assert says in str(caught.value)


def test_shipped_models_pass_their_trial() -> None:
    for name in SHIPPED.values():
        try_model(Registry().get(name), EngineName.LITERT)


def test_trial_tells_the_very_error(tmp_path: Path) -> None:
    model = copy_shipped(ModelKind.CLASSIFIER, tmp_path, "cut")
    litert_file(model).write_bytes(b"TFL3")
    with pytest.raises(ChecksumMismatch, match="expected sha256"):
        try_model(entry_of(model), EngineName.LITERT)


def test_manifest_that_changes_between_look_and_trial_is_noticed(tmp_path: Path) -> None:
    model = copy_shipped(ModelKind.CLASSIFIER, tmp_path, "quick")
    entry = entry_of(model)
    (model / "manifest.json").write_text((model / "manifest.json").read_text() + " ")
    with pytest.raises(ChecksumMismatch, match="changed a moment ago"):
        try_model(entry, EngineName.LITERT)


def test_network_that_gives_no_probabilities_is_refused(tmp_path: Path) -> None:
    """A network whose last layer was taken off fits its manifest, and answers with anything."""
    model = copy_shipped(ModelKind.CLASSIFIER, tmp_path, "loud")
    path = litert_file(model)
    network = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = network.subgraphs[0]
    softmax = next(one for one in graph.operators if network.operatorCodes[one.opcodeIndex].builtinCode == SOFTMAX)
    graph.outputs = [softmax.inputs[0]]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(network.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    reseal(model)
    with pytest.raises(ModelError, match="its last layer must be a softmax"):
        try_model(entry_of(model), EngineName.LITERT)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input": {"sizes_wh": [[4096, 4096]], "colour": "rgb"}}, "more than 2097152 pixels"),
        ({"input": {"sizes_wh": [[100_000, 8]], "colour": "rgb"}}, "less than or equal to 4096"),
        ({"input": {"sizes_wh": [[64, 64]] * 17, "colour": "rgb"}}, "at most 16"),
        ({"outputs": [{"name": "probabilities", "shape": [10**12]}]}, "less than or equal to 65536"),
        ({"name": "../evil"}, "name"),
        ({"labels": ["x" * 10_000]}, "at most 50"),
    ],
)
def test_manifest_that_asks_for_too_much_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    model = copy_shipped(ModelKind.CLASSIFIER, tmp_path, "greedy")
    manifest = json.loads((model / "manifest.json").read_text()) | change
    with pytest.raises(ModelError) as caught:
        parse_manifest(json.dumps(manifest).encode(), model / "manifest.json")
    assert says in str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["manifest.json", "model.int8.tflite"])
def test_pipe_in_place_of_a_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    model = copy_shipped(ModelKind.CLASSIFIER, tmp_path, "pipes")
    (model / name).unlink()
    os.mkfifo(model / name)
    with pytest.raises(ModelError, match="no plain file"):
        Registry(tmp_path).verify("pipes")
