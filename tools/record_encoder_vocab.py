"""Record in tests/data/vocab/encoders.json what llama.cpp's converter makes of small tokenizers of encoders.

    python tools/record_encoder_vocab.py --tree LLAMA_CPP

Run it as tools/record_vocab.py, whose tokenizers in tests/data must be there.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
encoder_vocab_cases: Any = importlib.import_module("encoder_vocab_cases")
record_vocab: Any = importlib.import_module("record_vocab")

CLASSES = {
    "BertModel": ("bert", "BertModel"), "DistilBertModel": ("bert", "DistilBertModel"), "RobertaModel": ("bert", "RobertaModel"),
    "XLMRobertaModel": ("bert", "XLMRobertaModel"), "JinaBertModel": ("bert", "JinaBertV2Model"),
    "T5ForConditionalGeneration": ("t5", "T5Model"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tree", type=Path, required=True)
    reference = record_vocab.Reference(parser.parse_args().tree.resolve())
    plain = record_vocab.packed
    record_vocab.packed = lambda value: plain(list(value) if isinstance(value, bytes) and len(value) > 200 else value)
    bases = encoder_vocab_cases.base_files()
    recorded: dict[str, Any] = {}
    for name, case in encoder_vocab_cases.cases().items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = record_vocab.build(Path(temporary), encoder_vocab_cases.built(case, bases))
            hparams = reference.base.ModelBase.load_hparams(folder, False)
            module, converter = CLASSES[case["class"]]
            kind = getattr(importlib.import_module(f"conversion.{module}"), converter)

            def write(writer: Any, kind: Any = kind, folder: Path = folder, hparams: Any = hparams) -> None:
                model = object.__new__(kind)
                model.dir_model, model.hparams, model.gguf_writer = folder, hparams, writer
                model.set_vocab()

            expected = reference._written(write)
        sizes = {"n_vocab": hparams.get("vocab_size"), "n_token_types": hparams.get("type_vocab_size", 1)}
        recorded[name] = {**case, **sizes, "expected": expected}
    record_vocab.write_cases(encoder_vocab_cases.DATA / "vocab" / "encoders.json", recorded)


if __name__ == "__main__":
    main()
