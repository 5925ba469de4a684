"""Load GGUF files in llama.cpp and print `decoded FILE` for each that gives a few tokens: a process of its own for crashes."""

from __future__ import annotations

import sys

import xllamacpp

N_TOKENS = 3


def main() -> None:
    for path in sys.argv[1:]:
        params = xllamacpp.CommonParams()
        params.model.path = path
        params.n_ctx = 64
        params.n_parallel = 1
        params.warmup = False
        params.verbosity = -1
        params.cpuparams.n_threads = 1
        server = xllamacpp.Server(params)
        answer = server.handle_completions({"prompt": "a b", "n_predict": N_TOKENS, "temperature": 0, "top_k": 1})
        if answer["choices"][0]["finish_reason"] in ("length", "stop"):
            print(f"decoded {path}", flush=True)


if __name__ == "__main__":
    main()
