"""Make tiny cases, quantize them to Q8_0 and let llama.cpp decode a few tokens: `decode_cases.py FOLDER CASE...`.

One line per step, for a parent that wants to know what a crash interrupted: `trying CASE`, then
`ran CASE ARCHITECTURE`, or `refused CASE WHY` with what llama.cpp says about a file that it does not load.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import xllamacpp

from ggufpress import quantize
from ggufpress.gguf.reader import read_gguf
from tests.tiny.families import FAMILY_CASES
from tests.tiny.runtime import ENCODERS
from tests.tiny_checkpoints import BY_NAME, make

N_TOKENS = 3


def parameters(path: Path) -> xllamacpp.CommonParams:
    """A small context on one thread, nothing else running."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 64
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    params.cpuparams.n_threads = 1
    return params


def decodes(path: Path) -> None:
    """Raise unless a few tokens follow a prompt."""
    server = xllamacpp.Server(parameters(path))
    answer = server.handle_completions({"prompt": "a b", "n_predict": N_TOKENS, "temperature": 0, "top_k": 1})
    if "choices" not in answer:
        raise RuntimeError(f"the server answers {answer}")
    reason = answer["choices"][0]["finish_reason"]
    if reason not in ("length", "stop"):
        raise RuntimeError(f"decoding ended with {reason}")


def embeds(path: Path) -> None:
    """Raise unless a text has an embedding of finite numbers that are not all zero."""
    params = parameters(path)
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    answer = xllamacpp.Server(params).handle_embeddings({"input": "a b"})
    length = sum(value * value for value in answer["data"][0]["embedding"])
    if not 0 < length < float("inf"):
        raise RuntimeError(f"the squares of the embedding add up to {length}")


def main() -> None:
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        print(f"trying {name}", flush=True)
        case = FAMILY_CASES.get(name) or BY_NAME[name]
        # not by its own name: llama.cpp edits the vocabulary of a model that is called phi-3 or the like
        source = make(replace(case, name="tiny"), folder)
        (file,) = quantize(source, ["Q8_0"], output=folder).files
        architecture = read_gguf(file.path).metadata["general.architecture"].data
        try:
            (embeds if architecture in ENCODERS else decodes)(file.path)
        except RuntimeError as error:
            print(f"refused {name} {' '.join(str(error).split())}", flush=True)
        else:
            print("ran", name, architecture, flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
