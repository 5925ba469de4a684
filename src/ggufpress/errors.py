"""Everything that ggufpress raises on purpose.

    GgufpressError           exit 1   something failed; the others say what
    ├── UsageError           exit 2   the call itself is wrong: an unknown type, an option that does not fit
    ├── InputError           exit 3   what was given to us is wrong
    │   ├── CheckpointError           a file of the checkpoint is missing, broken or contradicts another
    │   ├── ConfigError               a key of config.json is missing or has the wrong type
    │   ├── TokenizerError            the tokenizer files cannot be turned into a GGUF vocabulary
    │   ├── UnsupportedError          a class, data type or feature that we do not know (yet)
    │   ├── MappingError              the checkpoint's tensors and the architecture's rules do not fit
    │   ├── WeightError               a weight is not a finite number
    │   ├── GgufError                 a GGUF file is broken
    │   ├── ImatrixError              an importance matrix is broken, or lacks what the model needs
    │   ├── RecipeError               a recipe file is broken
    │   ├── ManifestError             a manifest is broken, or not of this program
    │   └── RepositoryError           the Hub has no such model or revision, or not for us
    ├── OutputError          exit 1   an output file could not be written
    │   └── SpaceError       exit 4   the disk has no room for it
    ├── LlamaError           exit 1   llama.cpp is not installed, or does not load or run a file
    ├── HubError             exit 1   the Hub cannot be reached, fails, or does not take our word
    └── VerifyError          exit 1   a written file is not what was computed

A message is one sentence without a full stop that names the file and the tensor or key; `hint`, where there is one,
says what to do next.
"""

from __future__ import annotations


class GgufpressError(Exception):
    """The root: `str(error)` is the message, `error.hint` the advice or None, `exit_code` what the CLI returns."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(GgufpressError):
    """The call is wrong: an unknown type name, options that exclude each other."""

    exit_code = 2


class InputError(GgufpressError):
    """The input is wrong."""

    exit_code = 3


class CheckpointError(InputError):
    """A file of the checkpoint is missing, broken or contradicts another."""


class ConfigError(InputError):
    """A key of config.json is missing or has the wrong type."""


class TokenizerError(InputError):
    """The tokenizer files cannot be turned into a GGUF vocabulary."""


class UnsupportedError(InputError):
    """A model class, data type or feature that ggufpress does not know."""


class MappingError(InputError):
    """The checkpoint's tensors and the architecture's rules do not fit."""


class WeightError(InputError):
    """A weight is not a finite number."""


class GgufError(InputError):
    """A GGUF file is broken."""


class ImatrixError(InputError):
    """An importance matrix is broken, or lacks what the model needs."""


class RecipeError(InputError):
    """A recipe file is broken."""


class ManifestError(InputError):
    """A manifest is broken, or was not written by this program."""


class RepositoryError(InputError):
    """The Hub has no such model, revision or file, or does not show it to whoever asks."""


class HubError(GgufpressError):
    """The Hub cannot be reached, fails, does not accept the token, or answers something else than the Hub's API."""


class OutputError(GgufpressError):
    """An output file could not be written."""


class SpaceError(OutputError):
    """The disk has no room for the output."""

    exit_code = 4


class LlamaError(GgufpressError):
    """llama.cpp is not installed, or does not load or run a file."""


class VerifyError(GgufpressError):
    """A written file is not what was computed."""
