from __future__ import annotations

from ggufpress.auditing.keys import examine_keys
from ggufpress.gguf.values import Metadata, f32, text, u32

SOURCE: Metadata = {
    "general.architecture": text("llama"), "general.name": text("a"), "llama.block_count": u32(4),
    "llama.rope.freq_base": f32(1e4), "general.file_type": u32(1), "tokenizer.ggml.pre": text("default"),
}  # fmt: skip


def test_what_a_file_says_of_its_making_is_its_own() -> None:
    file = SOURCE | {
        "general.file_type": u32(15),
        "quantize.imatrix.file": text("x"),
        "general.quantization_version": u32(2),
    }
    assert examine_keys(SOURCE, file) == ()


def test_faults_come_first_and_names_are_notes() -> None:
    file = {key: value for key, value in SOURCE.items() if key != "tokenizer.ggml.pre"}
    file |= {"general.name": text("b"), "llama.block_count": u32(3), "general.sampling.top_k": u32(1)}
    found = examine_keys(SOURCE, file)
    assert [(finding.key, finding.is_fault) for finding in found] == [
        ("llama.block_count", True),
        ("tokenizer.ggml.pre", True),
        ("general.sampling.top_k", True),
        ("general.name", False),
    ]
    assert "missing" in found[1].about
    assert "added" in found[2].about
    assert not any(finding.is_fault for finding in examine_keys(SOURCE, file, [finding.key for finding in found]))
