from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ggufpress.errors import GgufError
from ggufpress.gguf.header import TensorInfo, encode_header
from ggufpress.gguf.values import Metadata, Value, ValueType, array, f32, flag, text, u32
from ggufpress.inspection import MAX_CHARS, inspect
from ggufpress.quant.types import F32, Q4_K, Q6_K

METADATA: Metadata = {
    "general.architecture": text("llama"),
    "llama.context_length": u32(2048),
    "llama.rope.freq_base": f32(500000.0),
    "eps": f32(1e-5),
    "odd": f32(math.nan),
    "tokenizer.ggml.add_bos_token": flag(True),
    "tokenizer.ggml.tokens": array(ValueType.STRING, [f"token {index}" for index in range(1000)]),
    "tokenizer.ggml.scores": array(ValueType.FLOAT32, [0.5, -math.inf]),
    "tokenizer.chat_template": text("{% for m in messages %}\n" * 50),
    "escape": text("\x1b[2J\u202e\x7f"),
    "raw": Value(ValueType.STRING, b"\xff\xfe"),
    "none": array(ValueType.INT32, []),
}
TENSORS = [
    TensorInfo("token_embd.weight", (10, 256), Q6_K, 0),
    TensorInfo("blk.0.attn_q.weight", (40, 256), Q4_K, 2112),
    TensorInfo("blk.1.attn_q.weight", (40, 256), Q4_K, 2112 + 5760),
    TensorInfo("output_norm.weight", (256,), F32, 2112 + 2 * 5760),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    header = encode_header(METADATA, TENSORS)
    (tmp_path / "a.gguf").write_bytes(header + bytes(2112 + 2 * 5760 + 1024 + 3))
    return tmp_path / "a.gguf"


def test_sizes_and_types(path: Path) -> None:
    found = inspect(path)
    assert found.n_params == 10 * 256 + 2 * 40 * 256 + 256
    assert found.data_bytes == 2100 + 2 * 5760 + 1024
    assert found.bpw == pytest.approx(8 * found.data_bytes / found.n_params)
    assert found.trailing_bytes == 3
    assert found.file_bytes == path.stat().st_size
    assert found.header_bytes == found.tensors[0].offset
    assert [(share.qtype, share.n_tensors, share.n_params, share.nbytes) for share in found.types] == [
        (Q4_K, 2, 20480, 11520),
        (Q6_K, 1, 2560, 2100),
        (F32, 1, 256, 1024),
    ]
    assert sum(share.share for share in found.types) == pytest.approx(1)


def test_keys_are_shortened_and_safe_to_print(path: Path) -> None:
    keys = {key.key: key for key in inspect(path).keys}
    assert list(keys) == list(METADATA)
    assert keys["general.architecture"].text == '"llama"'
    assert keys["llama.context_length"].text == "2048"
    assert keys["llama.rope.freq_base"].text == "500000"
    assert keys["eps"].text == "9.99999975e-06"
    assert keys["tokenizer.ggml.add_bos_token"].text == "true"
    tokens = keys["tokenizer.ggml.tokens"]
    assert (tokens.type, tokens.length) == ("ARRAY of STRING", 1000)
    assert tokens.text.startswith('["token 0", "token 1", ')
    assert tokens.text.endswith('"token 7", … 1,000 in all]')
    assert keys["tokenizer.ggml.scores"].text == "[0.5, -inf]"
    template = keys["tokenizer.chat_template"]
    assert isinstance(template.value, str)
    assert (len(template.value), template.length) == (MAX_CHARS, 1200)
    assert template.text.endswith('"… 1,200 in all')
    assert keys["escape"].text == '"\\u001b[2J\\u202e\\u007f"'
    assert keys["none"].text == "[]"
    assert all(key.text.isprintable() for key in keys.values())


def test_json_is_json(path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    data = json.loads(json.dumps(inspect(path).to_json()), parse_constant=refuse)
    assert data["params"] == 23296
    assert data["types"][0] == {
        "type": "Q4_K", "bpw": 4.5, "tensors": 2, "params": 20480, "bytes": 11520,
        "share": pytest.approx(0.787, abs=1e-3),
    }  # fmt: skip
    assert data["tensors"][1]["shape"] == [40, 256]
    values = {item["key"]: item["value"] for item in data["metadata"]}
    assert values["odd"] == "nan"
    assert values["tokenizer.ggml.scores"] == [0.5, "-inf"]
    assert values["raw"] == "\\xff\\xfe"


def test_a_vocabulary_alone(tmp_path: Path) -> None:
    (tmp_path / "vocab.gguf").write_bytes(encode_header(METADATA, []))
    found = inspect(str(tmp_path / "vocab.gguf"))
    assert (found.n_params, found.bpw, found.types) == (0, 0.0, ())


def test_what_is_no_gguf(tmp_path: Path) -> None:
    with pytest.raises(GgufError, match=r"gone.gguf is missing"):
        inspect(tmp_path / "gone.gguf")
