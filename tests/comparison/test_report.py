"""Files against files and against their checkpoint: what is found, and what it is said to mean."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from ggufpress import FileComparison, compare, dequantize_rows, quantize, split
from ggufpress.comparison.errors import role
from ggufpress.comparison.summary import by_layer, by_role, type_changes
from ggufpress.errors import UsageError
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.values import text, u32
from tests.comparison.files import rewritten
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD, BY_NAME, make
from tests.traced_memory import memory_within


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundled model in some types."""
    folder = tmp_path_factory.mktemp("files")
    quantize(BARD, ["Q4_K_M", "Q4_K_S", "Q8_0", "BF16", "F16"], output=folder)
    (folder / "imatrix.gguf").write_bytes(matrix_bytes("gguf", entries(BARD)))
    quantize(
        BARD, ["Q4_K_M"], output=folder / "imatrix-Q4_K_M.gguf", imatrix=folder / "imatrix.gguf", imatrix_name="im"
    )
    return folder


def path(files: Path, name: str) -> Path:
    return files / f"bard-4m-{name}.gguf"


def said(found: FileComparison, *parts: str) -> bool:
    whole = "; ".join(found.verdict)
    return all(part in whole for part in parts)


def test_a_file_equals_itself_and_its_shards(files: Path, tmp_path: Path) -> None:
    one = path(files, "Q4_K_M")
    found = compare(one, one)
    assert found.equal
    assert found.verdict == ("equal: the same keys, tensors and weights in the same order",)
    shards = split(one, output=tmp_path / "s", split_max_tensors=10).files
    found = compare(one, shards[1].path)
    assert found.equal
    assert found.verdict[1] == "1 file against 4"


def test_a_bf16_file_equals_its_checkpoint(files: Path) -> None:
    assert compare(BARD, path(files, "BF16")).equal
    found = compare(path(files, "Q4_K_M"), BARD)
    assert not found.equal
    assert found.keys.equal
    assert said(found, "the same weights within what their types can hold", "bard-4m-Q4_K_M.gguf looks like Q4_K_M")
    assert {tensor.left.name for tensor in found.tensors} == {"F32", "Q4_K", "Q6_K"}


def test_errors_are_those_of_numpy(files: Path) -> None:
    left, right = path(files, "Q8_0"), path(files, "Q4_K_M")
    found = {tensor.name: tensor for tensor in compare(left, right).tensors}
    sides = []
    for file in (left, right):
        (tensor,) = (t for t in read_gguf(file).tensors if t.name == "blk.1.ffn_down.weight")
        raw = np.frombuffer(file.read_bytes()[tensor.offset :][: tensor.nbytes], np.uint8).reshape(tensor.shape[0], -1)
        sides.append(dequantize_rows(raw, tensor.qtype.name).astype(np.float64))
    ours, theirs = sides
    got = found["blk.1.ffn_down.weight"]
    assert got.rmse == pytest.approx(sqrt(((ours - theirs) ** 2).mean()), rel=1e-12)
    assert got.relative == pytest.approx(got.rmse / sqrt((ours**2).mean()), rel=1e-12)
    assert got.worst == np.abs(ours - theirs).max()
    angle = (ours * theirs).sum() / sqrt((ours**2).sum() * (theirs**2).sum())
    assert got.cosine == pytest.approx(angle, abs=1e-12)
    # the other way round only what the error is relative to changes
    other = next(t for t in compare(right, left).tensors if t.name == got.name)
    assert (other.rmse, other.worst) == (got.rmse, got.worst)
    assert other.relative == pytest.approx(got.rmse / sqrt((theirs**2).mean()), rel=1e-12)
    assert other.cosine == pytest.approx(got.cosine, abs=1e-15)


def test_a_checkpoint_on_either_side_gives_the_same_errors(files: Path) -> None:
    left = {t.name: t for t in compare(BARD, path(files, "Q8_0")).tensors}
    for tensor in compare(path(files, "Q8_0"), BARD).tensors:
        other = left[tensor.name]
        assert (tensor.rmse, tensor.worst) == (other.rmse, other.worst)
        assert (tensor.left, tensor.right) == (other.right, other.left)


def test_why_types_differ(files: Path) -> None:
    found = compare(path(files, "Q4_K_M"), path(files, "Q4_K_S"))
    assert said(
        found,
        "6 tensors have another type (2 Q4_K -> Q5_K, 2 Q6_K -> Q5_K, 2 Q6_K -> Q4_K): "
        "bard-4m-Q4_K_M.gguf looks like Q4_K_M, bard-4m-Q4_K_S.gguf looks like Q4_K_S",
    )
    assert not said(found, "other file type")
    assert sum(count for _, _, count in type_changes(found.tensors)) == 6


def test_why_only_bytes_differ(files: Path) -> None:
    found = compare(path(files, "Q4_K_M"), files / "imatrix-Q4_K_M.gguf")
    assert found.verdict[0] == "the same weights within what their types can hold"
    assert said(
        found,
        "28 tensors of the same type have other bytes: nearly every block was rounded otherwise",
        "bard-4m-Q4_K_M.gguf says nothing of an importance matrix",
        'imatrix-Q4_K_M.gguf says: made with an importance matrix (file "im"',
    )


def test_other_keys_are_told_by_what_they_are_about(files: Path, tmp_path: Path) -> None:
    one = path(files, "Q4_K_M")
    keys = {
        "tokenizer.chat_template": text("{{ messages }}"), "general.url": text("x"), "bard.hidden": u32(7),
        "tokenizer.ggml.bos_token_id": u32(9), "general.file_type": u32(14),
    }  # fmt: skip
    found = compare(one, rewritten(one, tmp_path / "b.gguf", keys=keys))
    assert found.verdict[0] == "the same bytes in all 39 tensors"
    assert said(
        found,
        "other chat template; other tokenizer (tokenizer.ggml.bos_token_id); other file type; "
        "other name and description (general.url); other hyperparameters (bard.hidden)",
    )
    assert not found.equal


def test_order_alone_is_a_difference(files: Path, tmp_path: Path) -> None:
    one = path(files, "Q4_K_M")
    found = compare(one, rewritten(one, tmp_path / "b.gguf", order=lambda tensors: tensors[::-1]))
    assert not found.equal
    assert said(found, "the tensors stand in another order from output.weight on")
    name = read_gguf(one).metadata["general.architecture"]
    found = compare(
        one, rewritten(one, tmp_path / "c.gguf", without=("general.architecture",), keys={"general.architecture": name})
    )
    assert not found.equal
    assert said(found, "the keys stand in another order from general.architecture on")


def test_other_weights_are_told_from_rounding(files: Path, tmp_path: Path) -> None:
    one = path(files, "F16")

    def doubled(name: str, data: bytearray) -> None:
        if name == "blk.2.attn_k.weight":
            data[:] = (2 * np.frombuffer(bytes(data), "<f2")).tobytes()

    found = compare(one, rewritten(one, tmp_path / "b.gguf", change=doubled))
    assert found.verdict[0].startswith(
        "other weights: 1 tensor of 39 differ by more than rounding to their types explains: blk.2.attn_k.weight (by 100.0%)"
    )
    (changed,) = (tensor for tensor in found.tensors if not tensor.same_bytes)
    assert changed.differing_blocks == changed.n_params
    assert changed.cosine == pytest.approx(1)
    (group,) = (group for group in by_layer(found.tensors) if group.n_differing)
    assert (group.name, group.n_differing) == ("2", 1)
    assert group.relative == pytest.approx(1)


def test_tensors_of_one_side_alone(files: Path, tmp_path: Path) -> None:
    one = path(files, "Q8_0")
    found = compare(one, rewritten(one, tmp_path / "b.gguf", order=lambda tensors: tensors[1:]))
    first = read_gguf(one).tensors[0].name
    assert found.removed == (first,)
    assert f"{first} only in bard-4m-Q8_0.gguf" in found.verdict[0]
    assert not found.equal


def test_one_bit_is_a_difference(files: Path, tmp_path: Path) -> None:
    one = path(files, "Q4_K_M")

    def flipped(name: str, data: bytearray) -> None:
        if name == "output.weight":
            data[1000] ^= 1

    found = compare(one, rewritten(one, tmp_path / "b.gguf", change=flipped))
    (changed,) = (tensor for tensor in found.tensors if not tensor.same_bytes)
    assert (changed.name, changed.differing_blocks) == ("output.weight", 1)
    assert said(found, "1 tensor of the same type has other bytes, in ")


def test_json_says_all_of_it_and_has_no_infinity(files: Path) -> None:
    found = json.loads(json.dumps(compare(path(files, "Q4_K_M"), path(files, "Q8_0")).to_json(), allow_nan=False))
    assert (found["equal"], len(found["tensors"]), len(found["layers"]), len(found["roles"])) == (False, 39, 5, 12)
    assert found["left"]["mix"]["text"] == "Q4_K_M"
    assert found["right"]["types"] == {"F32": 9, "Q8_0": 30}


def test_roles_and_layers(files: Path) -> None:
    assert [role(name) for name in ("blk.3.attn_q.weight", "output.weight", "blk.0.ffn_gate_exps.weight", "v.blk.1.x")] == [
        "attn_q", "output", "ffn_gate_exps", "v.blk.1.x",
    ]  # fmt: skip
    tensors = compare(path(files, "Q4_K_M"), path(files, "Q8_0")).tensors
    groups = {group.name: group for group in by_role(tensors)}
    assert [(q.name, n) for q, n in groups["attn_v"].left] == [("Q6_K", 2), ("Q4_K", 2)]
    own = [t for t in tensors if t.role == "attn_v"]
    assert groups["attn_v"].rmse == pytest.approx(sqrt(sum(t.rmse**2 for t in own) / 4))
    assert groups["attn_norm"].n_differing == 0


def test_results_do_not_depend_on_threads(files: Path) -> None:
    once = compare(path(files, "Q4_K_M"), path(files, "Q8_0"), threads=1)
    assert compare(path(files, "Q4_K_M"), path(files, "Q8_0"), threads=5).tensors == once.tensors


def test_experts_and_shards_of_a_checkpoint(tmp_path: Path) -> None:
    source = make(BY_NAME["mixtral-4"], tmp_path)
    (file,) = quantize(source, ["Q8_0"], output=tmp_path).files
    found = compare(source, file.path)
    assert found.keys.equal
    assert all(tensor.relative < 0.02 for tensor in found.tensors)
    assert (found.removed, found.added, found.reshaped) == ((), (), ())


def test_memory_does_not_grow_with_the_file(files: Path) -> None:
    compare(path(files, "F16"), path(files, "Q8_0"))
    with memory_within(24 << 20):
        compare(path(files, "F16"), path(files, "Q8_0"), threads=2)


def test_two_checkpoints_are_refused() -> None:
    with pytest.raises(UsageError, match="both are checkpoints"):
        compare(BARD, BARD)
