"""Let a GGUF file speak a line, if llama.cpp is there: pip install "ggufpress[run]"."""

from __future__ import annotations

import sys

PROMPT = "ROMEO:\n"
LENGTH = 24


def main() -> None:
    """Print the greedy continuation of a prompt by the model in the file that the command line names."""
    try:
        import xllamacpp
    except ImportError:
        print("To let the model speak: .venv/bin/pip install xllamacpp, then run this again.")
        return
    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    server = xllamacpp.Server(params)
    answer = server.handle_completions({"prompt": PROMPT, "n_predict": LENGTH, "temperature": 0, "top_k": 1})
    print(PROMPT + answer["choices"][0]["text"])


if __name__ == "__main__":
    main()
