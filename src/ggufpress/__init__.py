"""Turn a Hugging Face checkpoint into GGUF files in one pass, with llama.cpp's very bytes.

    import ggufpress
    ggufpress.quantize("TinyLlama-1.1B-Chat-v1.0", ["Q4_K_M", "Q8_0"], output="out")

Public names: plan, quantize, verify, compare, audit, reproduce, inspect, split, merge, quantize_rows, dequantize_rows, the values
they return (Plan, Report, VerifyReport, FileComparison, Inspection) and GgufpressError, the root of all errors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ggufpress.api import audit, compare, merge, quantize, reproduce, split, verify
    from ggufpress.comparison.report import FileComparison
    from ggufpress.errors import GgufpressError
    from ggufpress.execute.run import Report
    from ggufpress.inspection import Inspection, inspect
    from ggufpress.planning import Plan
    from ggufpress.planning.request import plan
    from ggufpress.proof.report import VerifyReport
    from ggufpress.quant.rows import dequantize_rows, quantize_rows

__all__ = [
    "FileComparison",
    "GgufpressError",
    "Inspection",
    "Plan",
    "Report",
    "VerifyReport",
    "audit",
    "compare",
    "dequantize_rows",
    "inspect",
    "merge",
    "plan",
    "quantize",
    "quantize_rows",
    "reproduce",
    "split",
    "verify",
]

_HOMES = {
    "FileComparison": "comparison.report",
    "GgufpressError": "errors",
    "Inspection": "inspection",
    "Plan": "planning.build",
    "Report": "execute.run",
    "VerifyReport": "proof.report",
    "audit": "api",
    "compare": "api",
    "dequantize_rows": "quant.rows",
    "inspect": "inspection",
    "merge": "api",
    "plan": "planning.request",
    "quantize": "api",
    "quantize_rows": "quant.rows",
    "reproduce": "api",
    "split": "api",
    "verify": "api",
}


def __getattr__(name: str) -> Any:
    # names are loaded on first use, so that the command line starts without numpy and tokenizers
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"ggufpress.{_HOMES[name]}"), name)
