"""Files audited: untouched ones, those of another build, those of an unknown importance matrix, and tampered ones."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ggufpress import audit, quantize
from ggufpress.auditing.findings import TensorFinding, Verdict
from ggufpress.auditing.levels import LEVELS
from ggufpress.auditing.report import NOT_PROVEN, AuditReport
from ggufpress.gguf.header import encode_header
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.values import Metadata, array, text, u32
from ggufpress.quant.types import BY_NAME as QTYPE
from ggufpress.recipe.presets import ALL
from tests.auditing.fma import TENSORS, TYPES, fused_blocks
from tests.comparison.files import rewritten
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD, BY_NAME, make
from tests.traced_memory import memory_within

Change = Callable[[str, bytearray], None]
NAME = "blk.0.attn_k.weight"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "imatrix.gguf"
    path.write_bytes(matrix_bytes("gguf", entries(BARD)))
    return path


def made(folder: Path, qtype: str, **options: Any) -> Path:
    """The bundled model with both test tensors in one type."""
    rules = [f"{name.removesuffix('.weight')}={qtype}" for name in TENSORS]
    file = quantize(
        BARD, ["Q8_0"], output=folder / "a.gguf", tensor_types=rules, force=True, on_missing="unweighted", **options
    ).files[0]
    return file.path


def changed(path: Path, change: Change, name: str = NAME) -> Path:
    """A copy whose tensor `name` is changed."""
    return rewritten(path, path.with_name("b.gguf"), change=lambda n, data: change(n, data) if n == name else None)


def finding(report: AuditReport, name: str = NAME) -> TensorFinding:
    return next(tensor for tensor in report.tensors if tensor.name == name)


def only(report: AuditReport, name: str = NAME) -> TensorFinding:
    """The finding of the one tensor that is not derived."""
    assert [t.name for t in report.tensors if t.verdict is Verdict.DIFFERENT] == [name]
    assert (report.exit_code, report.derived) == (1, False)
    return finding(report, name)


SLOW = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XS", "IQ3_S", "IQ3_M")
EVERY = [pytest.param(preset.name, marks=[pytest.mark.full] if preset.name in SLOW else []) for preset in ALL]


@pytest.mark.parametrize("preset", EVERY)
def test_files_are_identical_with_the_matrix_and_consistent_without(matrix: Path, tmp_path: Path, preset: str) -> None:
    (file,) = quantize(BARD, [preset], output=tmp_path, imatrix=matrix).files
    report = audit(file.path, source=BARD, imatrix=matrix)
    assert (report.verdict, report.exit_code) == (Verdict.IDENTICAL, 0)
    assert report.mix
    assert str(report.mix).startswith(preset)
    blind = audit(file.path, source=BARD)
    assert blind.verdict in (Verdict.IDENTICAL, Verdict.CONSISTENT)
    assert blind.exit_code in (0, NOT_PROVEN)
    weighed = any(tensor.weighed for tensor in report.tensors)
    assert (blind.verdict is Verdict.CONSISTENT) == weighed


@pytest.mark.parametrize("via", ["f16", "f32", "bf16"])
@pytest.mark.parametrize("case", ["odd-96-wide", "tied-linear-rope", "mixtral-4"])
def test_the_file_on_the_way_is_found_out(tmp_path: Path, case: str, via: str) -> None:
    source = make(BY_NAME[case], tmp_path)
    (file,) = quantize(source, ["Q4_K_S"], output=tmp_path, via=via).files
    report = audit(file.path, source=source)
    assert report.verdict is Verdict.IDENTICAL


def test_a_gguf_file_is_a_source(tmp_path: Path) -> None:
    quantize(BARD, ["Q8_0", "BF16"], output=tmp_path)
    (file,) = quantize(tmp_path / "bard-4m-Q8_0.gguf", ["Q4_K_M"], output=tmp_path, allow_requantize=True).files
    assert audit(file.path, source=tmp_path / "bard-4m-Q8_0.gguf").verdict is Verdict.IDENTICAL
    report = audit(file.path, source=tmp_path / "bard-4m-BF16.gguf")
    assert report.verdict is Verdict.DIFFERENT


@pytest.mark.parametrize("kind", ["", "imatrix"])
@pytest.mark.parametrize("qtype", TYPES)
def test_blocks_of_an_fma_build_are_told_as_such(matrix: Path, tmp_path: Path, qtype: str, kind: str) -> None:
    options: dict[str, Any] = {"imatrix": matrix} if kind else {}
    path = made(tmp_path, qtype, **options)
    size = QTYPE[qtype].block_bytes

    def fuse(name: str, data: bytearray) -> None:
        if name in TENSORS:
            at, blocks = fused_blocks(qtype, name, kind)
            np.frombuffer(data, np.uint8).reshape(-1, size)[at] = blocks

    fused = rewritten(path, tmp_path / "b.gguf", change=fuse)
    report = audit(fused, source=BARD, imatrix=options.get("imatrix"))
    for name in TENSORS:
        at, _ = fused_blocks(qtype, name, kind)
        found = finding(report, name)
        assert (found.verdict, found.n_differ) == (Verdict.BUILD if len(at) else Verdict.IDENTICAL, len(at))
        assert found.apart < 4
    assert report.exit_code == 0
    if kind:
        assert audit(fused, source=BARD).exit_code == NOT_PROVEN


STRICT = [name for name in LEVELS if not LEVELS[name].fitted]


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("qtype", STRICT)
def test_one_weight_is_found(matrix: Path, tmp_path: Path, qtype: str, weighed: bool) -> None:
    path = made(tmp_path, qtype, **({"imatrix": matrix} if weighed else {}))
    size, first = QTYPE[qtype].block_bytes, LEVELS[qtype].first

    def next_level(name: str, data: bytearray) -> None:
        data[5 * size + first + 3] ^= 1

    found = only(audit(changed(path, next_level), source=BARD))
    assert found.n_wrong == 1
    assert found.worst[0].index // QTYPE[qtype].block == 5


@pytest.mark.parametrize("qtype", [name for name in LEVELS if LEVELS[name].fitted])
def test_one_weight_is_found_where_scales_are_fitted(matrix: Path, tmp_path: Path, qtype: str) -> None:
    size, last = QTYPE[qtype].block_bytes, LEVELS[qtype].last

    def next_level(name: str, data: bytearray) -> None:
        data[5 * size + last - 3] ^= 1

    def far_level(name: str, data: bytearray) -> None:
        data[5 * size + last - 3] ^= 8

    assert only(audit(changed(made(tmp_path, qtype), next_level), source=BARD)).n_wrong == 1
    path = made(tmp_path, qtype, imatrix=matrix)
    assert only(audit(changed(path, next_level), source=BARD, imatrix=matrix)).n_wrong == 1
    # without the matrix another level is found where no scale explains it
    assert only(audit(changed(path, far_level), source=BARD)).n_wrong == 1


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("qtype", sorted({*TYPES, "IQ2_XS", "IQ3_XXS"}))
def test_one_block_is_found(matrix: Path, tmp_path: Path, qtype: str, weighed: bool) -> None:
    path = made(tmp_path, qtype, imatrix=matrix)
    size = QTYPE[qtype].block_bytes

    def another_block(name: str, data: bytearray) -> None:
        data[7 * size : 8 * size] = data[20 * size : 21 * size]

    found = only(audit(changed(path, another_block), source=BARD, imatrix=matrix if weighed else None))
    assert found.n_wrong == 1
    assert {weight.index // QTYPE[qtype].block for weight in found.worst} == {7}


SCALES = {"Q4_K": 0, "Q5_K": 2, "Q6_K": 192 + 5, "Q3_K": 108, "Q2_K": 3, "Q8_0": 0, "IQ4_XS": 5, "Q4_0": 1, "IQ3_S": 1}
"""A byte of a block that belongs to a scale."""


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("qtype", SCALES)
def test_one_scale_is_found(matrix: Path, tmp_path: Path, qtype: str, weighed: bool) -> None:
    path = made(tmp_path, qtype, imatrix=matrix)
    at = 9 * QTYPE[qtype].block_bytes + SCALES[qtype]

    def other_scale(name: str, data: bytearray) -> None:
        data[at] ^= 0x10

    found = only(audit(changed(path, other_scale), source=BARD, imatrix=matrix if weighed else None))
    assert found.n_wrong == 1


def test_a_scale_that_is_no_number_is_found(tmp_path: Path) -> None:
    def nan(name: str, data: bytearray) -> None:
        data[:2] = struct.pack("<H", 0x7E00)

    for qtype in ("Q4_K", "Q8_0", "IQ3_S"):
        assert only(audit(changed(made(tmp_path, qtype), nan), source=BARD)).n_wrong == 1


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("preset", ["Q4_K_M", "IQ2_M", "Q4_0", "F16"])
def test_swapped_tensors_are_found(matrix: Path, tmp_path: Path, preset: str, weighed: bool) -> None:
    (file,) = quantize(BARD, [preset], output=tmp_path, imatrix=matrix).files
    data = file.path.read_bytes()
    names = ("blk.0.attn_q.weight", "blk.1.attn_q.weight")
    left, right = (data[t.offset : t.offset + t.nbytes] for t in read_gguf(file.path).tensors if t.name in names)

    def swap(name: str, own: bytearray) -> None:
        if name in names:
            own[:] = right if name == names[0] else left

    report = audit(
        rewritten(file.path, tmp_path / "b.gguf", change=swap), source=BARD, imatrix=matrix if weighed else None
    )
    assert {t.name for t in report.tensors if t.verdict is Verdict.DIFFERENT} == set(names)
    assert report.exit_code == 1


def test_one_number_of_a_float_tensor_is_found(tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["F16"], output=tmp_path).files

    def flip(name: str, data: bytearray) -> None:
        data[200] ^= 1

    for name in ("output_norm.weight", "blk.0.attn_k.weight"):
        found = only(audit(changed(file.path, flip, name), source=BARD), name)
        assert (found.n_differ, found.n_wrong, len(found.worst)) == (1, 1, 1)
        assert found.worst[0].index == 200 // QTYPE[found.qtype.name].block_bytes


KEYS: dict[str, Metadata] = {
    "chat template": {"tokenizer.chat_template": text("{{ 'say that all is well' }}")},
    "tokenizer": {"tokenizer.ggml.eos_token_id": u32(7)},
    "hyperparameters": {"llama.attention.head_count": u32(4)},
    "name and description": {"general.sampling.temp": u32(9)},
}


@pytest.mark.parametrize("kind", KEYS)
def test_edited_keys_are_found(tmp_path: Path, kind: str) -> None:
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path).files
    path = rewritten(file.path, tmp_path / "b.gguf", keys=KEYS[kind])
    report = audit(path, source=BARD)
    (key,) = report.keys
    assert (key.key, key.kind, key.is_fault) == (next(iter(KEYS[kind])), kind, True)
    assert (report.verdict, report.exit_code) == (Verdict.DIFFERENT, 1)
    assert audit(path, source=BARD, allow_keys=[key.key]).exit_code == 0


def test_one_token_of_the_vocabulary_is_found(tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path).files
    value = read_gguf(file.path).metadata["tokenizer.ggml.tokens"]
    assert isinstance(value.data, tuple)
    assert value.item_type is not None
    tokens = array(value.item_type, [*value.data[:700], "x", *value.data[701:]])
    report = audit(rewritten(file.path, tmp_path / "b.gguf", keys={"tokenizer.ggml.tokens": tokens}), source=BARD)
    assert "1 of 2,048 differ: [700]" in report.keys[0].about


def test_words_about_the_model_are_only_told(tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path).files
    path = rewritten(file.path, tmp_path / "b.gguf", keys={"general.quantized_by": text("somebody")})
    report = audit(path, source=BARD)
    assert [(key.key, key.is_fault) for key in report.keys] == [("general.quantized_by", False)]
    assert report.exit_code == 0


def test_tensors_of_one_side_alone_and_hidden_bytes(tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path).files
    fewer = rewritten(file.path, tmp_path / "b.gguf", order=lambda tensors: tensors[1:])
    assert [str(fault) for fault in audit(fewer, source=BARD).faults] == ["output.weight: missing: the source has it"]
    hidden = tmp_path / "c.gguf"
    hidden.write_bytes(file.path.read_bytes() + b"payload")
    report = audit(hidden, source=BARD)
    assert (str(report.faults[0]), report.exit_code) == ("7 bytes follow the last tensor and its padding", 1)


def test_another_model_is_not_the_source(tmp_path: Path) -> None:
    source = make(BY_NAME["few-keys"], tmp_path)
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path).files
    report = audit(file.path, source=source)
    assert report.verdict is Verdict.DIFFERENT
    assert report.faults


def test_what_cannot_be_made_is_not_checked(tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path).files
    described = read_gguf(file.path)
    # the same place, called a type that is not made here
    infos = list(described.infos)
    nvfp4 = QTYPE["NVFP4"]
    last = infos[-1]
    infos[-1] = type(last)(last.name, last.shape, nvfp4, last.offset)
    size = infos[-1].nbytes
    header = encode_header(described.metadata, infos)
    body = file.path.read_bytes()[described.data_offset :][: last.offset]
    path = tmp_path / "b.gguf"
    path.write_bytes(header + body + bytes(size + -size % 32))
    report = audit(path, source=BARD)
    assert finding(report, last.name).verdict is Verdict.UNCHECKED
    assert report.exit_code == NOT_PROVEN


def test_json_has_every_finding(tmp_path: Path) -> None:
    def other(name: str, data: bytearray) -> None:
        data[:4000] = bytes(4000)

    report = audit(changed(made(tmp_path, "Q4_K"), other), source=BARD)
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert (found["verdict"], found["derived"], len(found["tensors"])) == ("different", False, 39)
    assert found["counts"] == {"identical": 38, "different": 1}


def test_results_do_not_depend_on_threads_and_memory_is_bounded(matrix: Path, tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path, imatrix=matrix).files
    once = audit(file.path, source=BARD, threads=1)
    with memory_within(160 << 20):
        assert audit(file.path, source=BARD, threads=3).tensors == once.tensors
