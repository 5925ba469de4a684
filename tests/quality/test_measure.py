from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress import quantize
from ggufpress.errors import LlamaError, UsageError
from ggufpress.gguf.reader import read_gguf
from ggufpress.quality import measure as measuring
from ggufpress.quality.chunks import read_text
from ggufpress.quality.measure import available_memory, groups, measure
from ggufpress.quality.reading import BLOCK, blocks
from ggufpress.texts import CALIBRATION, VALID
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import BARD, BY_NAME, make

TEXT = read_text(VALID)


def test_files_are_read_together_as_memory_allows() -> None:
    assert groups([3, 3, 3, 9, 1], 7) == [[0, 1], [2], [3], [4]]
    assert groups([3, 3], 100) == [[0, 1]]
    assert groups([3, 3], -1) == [[0], [1]]
    assert available_memory() > 0


def test_groups_change_no_figure(bard: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    files = [bard["Q8_0"], bard["Q2_K"]]
    together = measure(files, TEXT, "valid.txt", reference=bard["F16"], n_ctx=64, n_chunks=3, n_threads=1)
    monkeypatch.setattr(measuring, "available_memory", lambda: 0)
    apart = measure(files, TEXT, "valid.txt", reference=bard["F16"], n_ctx=64, n_chunks=3, n_threads=1)
    assert [file.divergence for file in together.files] == [file.divergence for file in apart.files]
    assert together.reference is not None
    assert apart.reference is not None
    assert together.reference.ppl == apart.reference.ppl


def test_it_stops_as_soon_as_the_errors_are_small(bard: dict[str, Path]) -> None:
    calls: list[tuple[int, int]] = []
    found = measure(
        [bard["Q8_0"]],
        TEXT,
        "valid.txt",
        n_ctx=64,
        until=0.25,
        progress=lambda done, total, _: calls.append((done, total)),
    )
    assert 4 <= found.files[0].n_chunks < 40
    assert found.files[0].ppl.relative <= 0.25
    assert calls[-1] == (found.files[0].n_chunks, 264)


def test_sizes_are_told(bard: dict[str, Path]) -> None:
    (file,) = measure([bard["Q8_0"]], TEXT, "valid.txt", n_ctx=64, n_chunks=2, n_threads=1).files
    assert file.nbytes == bard["Q8_0"].stat().st_size
    assert file.bpw == pytest.approx(8.5, abs=0.02)
    assert file.n_tokens == 2 * 31


@pytest.mark.parametrize("n_ctx", [6, 65])
def test_a_context_must_have_halves(n_ctx: int, bard: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match=f"--ctx {n_ctx}"):
        measure([bard["Q8_0"]], TEXT, "valid.txt", n_ctx=n_ctx)


def test_another_vocabulary_is_an_error(bard: dict[str, Path], tmp_path: Path) -> None:
    source = make(BY_NAME["llama3-rope"], tmp_path / "source")
    (file,) = quantize(source, ["F16"], output=tmp_path).files
    with pytest.raises(LlamaError, match="tokens, the reference"):
        measure([bard["Q8_0"]], TEXT, "valid.txt", reference=file.path, n_ctx=64, n_chunks=2, n_threads=1)


def test_an_encoder_has_no_perplexity(tmp_path: Path) -> None:
    source = make(FAMILY_CASES["bert-pooled"], tmp_path / "source")
    (file,) = quantize(source, ["F16"], output=tmp_path).files
    with pytest.raises(LlamaError, match="has no perplexity"):
        measure([file.path], TEXT, "valid.txt", n_ctx=64, n_threads=1)


def test_numbers_that_are_none_are_an_error(bard: dict[str, Path], tmp_path: Path) -> None:
    norm = next(tensor for tensor in read_gguf(bard["Q8_0"]).tensors if tensor.name == "output_norm.weight")
    data = bytearray(bard["Q8_0"].read_bytes())
    data[norm.offset : norm.offset + norm.nbytes] = np.full(norm.n_params, np.nan, np.float32).tobytes()
    (tmp_path / "broken.gguf").write_bytes(data)
    for reference in (None, bard["F16"]):
        with pytest.raises(LlamaError, match="computes what is no number"):
            measure(
                [tmp_path / "broken.gguf"], TEXT, "valid.txt", reference=reference, n_ctx=64, n_chunks=2, n_threads=1
            )


def test_blocks_of_rows_cover_all() -> None:
    assert list(blocks(5, BLOCK // 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(blocks(2, 4 * BLOCK)) == [slice(0, 1), slice(1, 2)]


def test_the_texts_are_the_bundled_model_s() -> None:
    for path in (VALID, CALIBRATION):
        assert path.read_bytes() == (BARD / path.name).read_bytes()
