"""Both sides of a comparison, slab by slab."""

from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress import quantize
from ggufpress.errors import GgufError
from ggufpress.execute.paired import WEIGHTS, PairedReader, PairedSlab
from ggufpress.gguf.shards import GgufSet, qtype_of, read_gguf_set
from ggufpress.planning.gguf_model import gguf_tensors
from ggufpress.source.reading import TensorReader
from tests.tiny_checkpoints import BARD


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[GgufSet, GgufSet]:
    folder = tmp_path_factory.mktemp("files")
    quantize(BARD, ["Q4_0", "F16"], output=folder)
    return read_gguf_set(folder / "bard-4m-F16.gguf"), read_gguf_set(folder / "bard-4m-Q4_0.gguf")


def pairs(files: tuple[GgufSet, GgufSet]) -> list[tuple[object, ...]]:
    refs = {ref.name: ref for ref in files[1].tensors}
    return [(tensor, refs[tensor.name], qtype_of(refs[tensor.name])) for tensor in gguf_tensors(files[0])]


@pytest.mark.parametrize("threads", [1, 3])
def test_every_weight_is_seen_once_and_in_order(files: tuple[GgufSet, GgufSet], threads: int) -> None:
    wanted = pairs(files)
    read: list[tuple[int, str]] = []

    def seen(pair: PairedSlab) -> tuple[int, int, bytes]:
        assert len(pair.source) == pair.tensor.dtype.row_bytes(pair.slab.elements)
        return pair.slab.first, pair.slab.elements, bytes(pair.data)

    with PairedReader(TensorReader(error=GgufError), TensorReader(error=GgufError), threads) as reader:
        found = list(reader.each(wanted, seen, lambda n, name: read.append((n, name))))  # type: ignore[arg-type]
        first = list(reader.each(wanted, seen, only_first=True))  # type: ignore[arg-type]
    at: dict[str, int] = {}
    data: dict[str, bytes] = {}
    for tensor, (start, elements, own) in found:
        assert start == at.get(tensor.name, 0)
        assert elements <= WEIGHTS
        at[tensor.name] = start + elements
        data[tensor.name] = data.get(tensor.name, b"") + own
    assert at == {tensor.name: tensor.n_params for tensor in gguf_tensors(files[0])}
    raw = files[1].path.read_bytes()
    assert data == {ref.name: raw[ref.offset : ref.offset + ref.nbytes] for ref in files[1].tensors}
    assert sum(nbytes for nbytes, _ in read) == sum(ref.nbytes for ref in files[1].tensors)
    assert [tensor.name for tensor, _ in first] == list(at)


def test_a_file_that_changed_is_an_error(tmp_path: Path) -> None:
    quantize(BARD, ["Q8_0"], output=tmp_path)
    path = tmp_path / "bard-4m-Q8_0.gguf"
    file = read_gguf_set(path)
    with path.open("ab") as stream:
        stream.write(b"x")
    with (
        PairedReader(TensorReader(error=GgufError), TensorReader(error=GgufError)) as reader,
        pytest.raises(GgufError, match="has changed"),
    ):
        list(reader.each(pairs((file, file)), lambda pair: None))  # type: ignore[arg-type]
