"""Make tiny cases, quantize them to Q8_0 and let llama.cpp decode a few tokens: `decode_cases.py FOLDER CASE...`.

One line per step, for a parent that wants to know what a crash interrupted: `trying CASE`, then
`ran CASE ARCHITECTURE`, or `refused CASE WHY` with what llama.cpp says about a file that it does not load.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xllamacpp
from numpy.typing import NDArray

from ggufpress import quantize
from ggufpress.gguf.reader import read_gguf
from tests import libllama
from tests.tiny.families import FAMILY_CASES, UNRECORDED
from tests.tiny.runtime import DIFFUSION, DRAFTS, ENCODERS, SOUND, WITHOUT_FLASH_ATTENTION
from tests.tiny_checkpoints import BY_NAME, make

N_TOKENS = 3
SOME = [5, 6, 7, 8]
"""Token ids that every vocabulary has."""


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


def decodes(path: Path, architecture: str) -> None:
    """Raise unless a few tokens follow a prompt."""
    params = parameters(path)
    if architecture in WITHOUT_FLASH_ATTENTION:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    completion(params)


def drafts(path: Path, target: Path) -> None:
    """Raise unless the model drafts tokens for the one in `target`."""
    params = parameters(target)
    params.speculative.draft.mparams.path = str(path)
    params.speculative.draft.p_min = 0
    params.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_DRAFT_MTP]
    if not completion(params)["timings"].get("draft_n"):
        raise RuntimeError("no token was drafted")


def completion(params: xllamacpp.CommonParams) -> dict[str, Any]:
    """The server's answer to a prompt; RuntimeError unless a few tokens follow it."""
    server = xllamacpp.Server(params)
    answer: dict[str, Any] = server.handle_completions(
        {"prompt": "a b", "n_predict": N_TOKENS, "temperature": 0, "top_k": 1}
    )
    if "choices" not in answer:
        raise RuntimeError(f"the server answers {answer}")
    reason = answer["choices"][0]["finish_reason"]
    if reason not in ("length", "stop"):
        raise RuntimeError(f"decoding ended with {reason}")
    return answer


def embeds(path: Path) -> None:
    """Raise unless a text has an embedding of finite numbers that are not all zero."""
    params = parameters(path)
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    answer = xllamacpp.Server(params).handle_embeddings({"input": "a b"})
    length = sum(value * value for value in answer["data"][0]["embedding"])
    if not 0 < length < float("inf"):
        raise RuntimeError(f"the squares of the embedding add up to {length}")


def sees_both_ways(path: Path) -> None:
    """Raise unless a diffusion model guesses at each place, and a later token changes the guess at an earlier one."""
    with libllama.opened(path) as model:
        first = told(model.logits(SOME, causal=False))
    with libllama.opened(path) as model:
        second = told(model.logits([*SOME[:-1], SOME[0]], causal=False))
    if (first[0] == second[0]).all():
        raise RuntimeError("the last token does not matter to the first")


def translates(path: Path) -> None:
    """Raise unless a decoder that begins a text says something else after another text was encoded."""
    found = []
    for text in (SOME, SOME[::-1]):
        with libllama.opened(path) as model:
            model.encode(text)
            found.append(told(model.logits([model.start, *SOME[:2]])))
    if (found[0] == found[1]).all():
        raise RuntimeError("what was encoded does not matter")


def sounds(path: Path) -> None:
    """Raise unless tokens become numbers to make sound of, and other tokens others."""
    with libllama.opened(path) as model:
        first, second = (told(model.embeddings(tokens)) for tokens in (SOME, SOME[::-1]))
    if (first[0] == second[0]).all():
        raise RuntimeError("what the tokens are does not matter")


def told(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits, or what else came out, which must be finite and not all the same."""
    if not np.isfinite(logits).all() or (logits.std(axis=1) == 0).any():
        raise RuntimeError("the logits tell nothing")
    return logits


def run(path: Path, architecture: str) -> None:
    """Raise RuntimeError with the reason if llama.cpp does not run the file."""
    if architecture in ENCODERS:
        embeds(path)
    elif architecture in DIFFUSION:
        sees_both_ways(path)
    elif architecture == "t5":
        translates(path)
    elif architecture in SOUND:
        sounds(path)
    elif architecture in DRAFTS:
        drafts(path, quantized(DRAFTS[architecture], path.parent / "target"))
    else:
        decodes(path, architecture)


def quantized(name: str, folder: Path) -> Path:
    """The Q8_0 file of a case, made under `folder`."""
    case = FAMILY_CASES.get(name) or UNRECORDED.get(name) or BY_NAME[name]
    # not by its own name: llama.cpp edits the vocabulary of a model that is called phi-3 or the like
    source = make(replace(case, name="tiny"), folder)
    (file,) = quantize(source, ["Q8_0"], output=folder).files
    return file.path


def reason(path: Path, error: RuntimeError) -> str:
    """What llama.cpp itself says about a file that its server does not take; the server's words where it says nothing."""
    try:
        with libllama.opened(path):
            return str(error)
    except RuntimeError as told_by_library:
        return str(told_by_library)


def main() -> None:
    folder = Path(sys.argv[1])
    for name in sys.argv[2:]:
        print(f"trying {name}", flush=True)
        path = quantized(name, folder)
        architecture = str(read_gguf(path).metadata["general.architecture"].data)
        try:
            run(path, architecture)
        except RuntimeError as error:
            print(f"refused {name} {' '.join(reason(path, error).split())}", flush=True)
        else:
            print("ran", name, architecture, flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
