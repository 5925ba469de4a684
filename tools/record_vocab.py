"""Record in tests/data what llama.cpp's converter makes of small tokenizer folders and model cards.

    python tools/record_vocab.py --tree LLAMA_CPP --tokenizers FOLDER

Run it with a Python that has torch, transformers 4.57.6, sentencepiece and tokenizers. LLAMA_CPP is the reference's
source tree, FOLDER holds real tokenizers in folders named gpt-2, llama-bpe, qwen2, deepseek-llm and llama-fast.
It writes tests/data/vocab (the tokenizers cut down to what the check text needs, the ids kept; a small SentencePiece
model; cases and what the reference makes of them) and tests/data/metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import io
import itertools
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
BASES = {"gpt-2": "gpt-2", "llama-bpe": "llama-bpe", "qwen2": "qwen2", "deepseek-llm": "deepseek-llm"}
DENSE = {"llama-fast": "llama-fast", "gpt-2-dense": "gpt-2"}
COUNTS = ((1_100_048_384, 1_100_048_384, 0, 0), (46_702_792_704, 1_605_898_240, 5_637_144_576, 8), (0, 0, 0, 0))


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECK_TEXT: str = load_module(ROOT / "src/ggufpress/vocab/pretokenizer_fingerprints.py").CHECK_TEXT
CASES = load_module(ROOT / "tools" / "vocab_cases.py")


def cut_down(source: Path, *, renumber: bool) -> dict[str, Any]:
    """tokenizer.json with only the tokens and merges that CHECK_TEXT passes through; their ids kept, or made dense."""
    tokenizers = importlib.import_module("tokenizers")
    stated: dict[str, Any] = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    full = tokenizers.Tokenizer.from_str(json.dumps(stated))
    model = stated["model"]
    pairs = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    ranks = {pair: rank for rank, pair in enumerate(pairs)}
    text = full.normalizer.normalize_str(CHECK_TEXT) if full.normalizer else CHECK_TEXT
    words = [word for word, _ in full.pre_tokenizer.pre_tokenize_str(text)] if full.pre_tokenizer else [text]
    used_merges: set[tuple[str, ...]] = set()
    used = set(full.encode(CHECK_TEXT).tokens)
    for word in words:
        parts = list(word)
        used.update(parts)
        while found := [(ranks[pair], i) for i, pair in enumerate(itertools.pairwise(parts)) if pair in ranks]:
            _, i = min(found)
            used_merges.add((parts[i], parts[i + 1]))
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
            used.add(parts[i])
    stated["added_tokens"] = stated["added_tokens"][:8]
    used.update(token for token in model["vocab"] if token.startswith("<0x") or (len(token) == 1 and token < "ń"))
    ids = {**model["vocab"], **{token["content"]: token["id"] for token in stated["added_tokens"]}}
    used.update(token["content"] for token in stated["added_tokens"])
    kept = sorted((i, token) for token, i in ids.items() if token in used)
    model["vocab"] = {token: n if renumber else i for n, (i, token) in enumerate(kept)}
    for token in stated["added_tokens"]:
        token["id"] = model["vocab"][token["content"]]
    model["merges"] = [" ".join(pair) for pair in pairs if pair in used_merges]
    cut = tokenizers.Tokenizer.from_str(json.dumps(stated))
    if not renumber and cut.encode(CHECK_TEXT).ids != full.encode(CHECK_TEXT).ids:
        raise SystemExit(f"{source.name} cannot be cut down")
    return stated


def train_spm() -> bytes:
    """A SentencePiece BPE of 400 pieces with byte fallback, and a user-defined piece."""
    spm = importlib.import_module("sentencepiece")
    out = io.BytesIO()
    sentences = [line for line in Path(__file__).read_text(encoding="utf-8").splitlines() if line.strip()]
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=out,
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        user_defined_symbols=["<sep>"],
        normalization_rule_name="identity",
        minloglevel=2,
    )
    return out.getvalue()


def packed(value: Any) -> Any:
    """A value as JSON: long lists as their length and a digest."""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, list | tuple):
        return value
    items = [
        item.decode() if isinstance(item, bytes) else int(item) if isinstance(item, int) else item for item in value
    ]
    if len(items) <= 16:
        return items
    return {"items": len(items), "sha256": hashlib.sha256(json.dumps(items, ensure_ascii=False).encode()).hexdigest()}


class Reference:
    """The parts of llama.cpp's converter that write tokenizer.* and general.* keys."""

    def __init__(self, tree: Path) -> None:
        os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", CUDA_VISIBLE_DEVICES="", PYTHONHASHSEED="0")
        sys.path[:0] = [str(tree), str(tree / "gguf-py")]
        logging.disable(logging.CRITICAL)
        self.gguf = importlib.import_module("gguf")
        self.base = importlib.import_module("conversion.base")
        self.model = importlib.import_module("conversion.llama").LlamaModel
        known = self.base.TextModel.get_vocab_base_pre

        def name_or_fingerprint(model: Any, tokenizer: Any) -> str:
            try:
                return str(known(model, tokenizer))
            except NotImplementedError:
                return hashlib.sha256(str(tokenizer.encode(CHECK_TEXT)).encode()).hexdigest()

        self.base.TextModel.get_vocab_base_pre = name_or_fingerprint

    def _written(self, write: Callable[[Any], None]) -> list[list[Any]] | str:
        writer = self.gguf.GGUFWriter(None, "llama")
        writer.kv_data[0].clear()
        try:
            write(writer)
        except Exception as error:
            return f"{type(error).__name__}: {error}".splitlines()[0][:120]
        return [[key, int(value.type), packed(value.value)] for key, value in writer.kv_data[0].items()]

    def vocab(self, folder: Path) -> tuple[int | None, list[list[Any]] | str]:
        """The config's vocab_size with its class's default, and the tokenizer.* keys or the error."""
        hparams = self.base.ModelBase.load_hparams(folder, False)

        def write(writer: Any) -> None:
            model = object.__new__(self.model)
            model.dir_model, model.hparams, model.gguf_writer = folder, hparams, writer
            model.origin_hf_arch, model.is_mistral_format = None, False
            model.set_vocab()

        return hparams.get("vocab_size"), self._written(write)

    def general(self, folder: Path, counts: tuple[int, int, int, int]) -> list[list[Any]] | str:
        """The general.* keys for these parameter counts, or the error."""

        def write(writer: Any) -> None:
            metadata = self.gguf.Metadata.load(None, folder, None, counts[0])
            if metadata.size_label is None and counts[0] > 0:
                metadata.size_label = self.gguf.size_label(*counts)
            writer.add_type(self.gguf.GGUFType.MODEL)
            metadata.set_gguf_meta_model(writer)
            for key, value in writer.kv_data[0].items():
                writer._pack_val(value.value, value.type, add_vtype=True, sub_type=value.sub_type), key

        return self._written(write)


def build(folder: Path, files: dict[str, Any]) -> Path:
    """A folder with these files: text as it is, other values as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(
                content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8"
            )
    return folder


def vocab_cases(bases: dict[str, dict[str, Any]], spm: bytes) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, the case as it is stored, and its files."""
    for name, case in CASES.vocab_cases().items():
        files = dict(case["files"])
        if base := case.get("base"):
            files["tokenizer.json"] = {**bases[base], **case.get("tokenizer", {})}
        if case.get("spm"):
            files["tokenizer.model"] = spm
        yield name, case, files


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--tokenizers", type=Path, required=True)
    args = parser.parse_args()
    reference = Reference(args.tree.resolve())
    bases = {base: cut_down(args.tokenizers / name, renumber=False) for base, name in BASES.items()}
    bases |= {base: cut_down(args.tokenizers / name, renumber=True) for base, name in DENSE.items()}
    for base, content in bases.items():
        print(base, len(content["model"]["vocab"]), "tokens")
    spm = train_spm()
    out = DATA / "vocab"
    out.mkdir(parents=True, exist_ok=True)
    for base, content in bases.items():
        (out / f"{base}.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "spm.model").write_bytes(spm)

    recorded = {}
    for name, case, files in vocab_cases(bases, spm):
        with tempfile.TemporaryDirectory() as folder:
            n_vocab, expected = reference.vocab(build(Path(folder), files))
        recorded[name] = {**case, "n_vocab": n_vocab, "expected": expected}
    write_cases(out / "cases.json", recorded)

    recorded = {}
    for name, case in CASES.metadata_cases().items():
        with tempfile.TemporaryDirectory() as folder:
            root = build(Path(folder) / case["folder"], {"config.json": {}, **case["files"]})
            recorded[name] = {**case, "expected": [reference.general(root, counts) for counts in COUNTS]}
    (DATA / "metadata").mkdir(exist_ok=True)
    write_cases(DATA / "metadata" / "cases.json", {"counts": COUNTS, **recorded})


def write_cases(path: Path, cases: dict[str, Any]) -> None:
    lines = (f"{json.dumps(name)}: {json.dumps(case, ensure_ascii=False)}" for name, case in cases.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
