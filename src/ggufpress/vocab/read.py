"""Which tokenizer files a checkpoint has, and so which kind of vocabulary it gets: the one entry to this folder.

Exact: the keys, order and values of llama.cpp of llama-cpp-python 0.3.36, conversion/llama.py (`LlamaModel.set_vocab`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ggufpress.errors import ConfigError, GgufpressError, TokenizerError, UnsupportedError
from ggufpress.gguf.values import Value, flag
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.bpe import bpe_vocab
from ggufpress.vocab.files import SPM_MODEL, TEKKEN, TOKENIZER_JSON, TokenizerFiles
from ggufpress.vocab.llama_hf import is_llama_hf, llama_hf_vocab
from ggufpress.vocab.special import special_keys
from ggufpress.vocab.spm import spm_vocab

Keys = list[tuple[str, Value]]

CODE_LLAMA_SIZE = 32016
CODE_LLAMA_IDS = {"prefix": 32007, "suffix": 32008, "middle": 32009, "eot": 32010}
GRANITE_SIZE = 49152
ADD_BOS = "tokenizer.ggml.add_bos_token"


@dataclass(frozen=True)
class Vocab:
    """A vocabulary as keys in file order; a key that comes again replaces the value and keeps its place.

    `kind` is how the files were read: spm, llama-hf or bpe. `n_vocab` is the number of tokens.
    """

    kind: str
    n_vocab: int
    metadata: tuple[tuple[str, Value], ...]
    notes: tuple[str, ...] = ()


def read_vocab(checkpoint: Checkpoint, kind: str, n_vocab: int | None) -> Vocab:
    """The vocabulary of `checkpoint`. `kind` is the architecture's way to read it; `n_vocab` the ids of the model.

    Raises TokenizerError for files that are missing, broken or contradict each other, UnsupportedError for kinds that
    cannot be read yet.
    """
    if kind != "llama":
        raise UnsupportedError(f"vocabularies of kind {kind!r} cannot be read yet")
    try:
        return _llama(TokenizerFiles(checkpoint), n_vocab)
    except GgufpressError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        # the files nest too deeply to check each value before it is used
        raise TokenizerError(
            f"{checkpoint.root}: the tokenizer files do not have the expected form: {type(error).__name__}: {error}"
        ) from error


def _llama(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    if files.config.get("tokenizer_class") == "HybridDNATokenizer":
        raise UnsupportedError(f"{files.root}: the tokenizer HybridDNATokenizer cannot be read yet")
    keys: Keys = []
    if (add_prefix_space := files.config.get("add_prefix_space")) is not None:
        keys.append(("tokenizer.ggml.add_space_prefix", flag(_boolean(files, "add_prefix_space", add_prefix_space))))
    kind, tokens, found, notes = _tokens(files, n_vocab)
    keys += found
    if n_vocab == CODE_LLAMA_SIZE:
        keys += special_keys(files, types=tuple(CODE_LLAMA_IDS), preset=CODE_LLAMA_IDS)
    if n_vocab == GRANITE_SIZE:
        keys.append((ADD_BOS, flag(False)))
    return Vocab(kind, tokens, tuple(keys), tuple(notes))


def _tokens(files: TokenizerFiles, n_vocab: int | None) -> tuple[str, int, Keys, Iterable[str]]:
    if files.has(SPM_MODEL):
        tokens, keys = spm_vocab(files, n_vocab)
        return "spm", tokens, keys, ()
    if files.has(TEKKEN) and not files.has(TOKENIZER_JSON):
        raise UnsupportedError(
            f"{files.root}: {TEKKEN} alone cannot be read yet",
            hint="the model's repository may have a tokenizer.json on another branch, or a converted copy",
        )
    if not files.has(TOKENIZER_JSON) and not files.has("vocab.json"):
        raise TokenizerError(
            f"{files.root} has no tokenizer: {SPM_MODEL}, {TOKENIZER_JSON} or vocab.json with merges.txt was expected",
            hint="copy the tokenizer files from the model's repository, or from the model it was made from",
        )
    if is_llama_hf(files):
        tokens, keys = llama_hf_vocab(files)
        return "llama-hf", tokens, keys, ()
    tokens, keys, note = bpe_vocab(files, n_vocab)
    return "bpe", tokens, keys, (note,)


def _boolean(files: TokenizerFiles, key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{files.root / 'tokenizer_config.json'}: {key} is {value!r:.60}, true or false was expected")
    return value
