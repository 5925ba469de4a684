"""What GGUF files say about a model's name, origin, license and recommended sampling."""

from ggufpress.metadata.general import general_metadata
from ggufpress.metadata.size_label import ParameterCounts, size_label

__all__ = ["ParameterCounts", "general_metadata", "size_label"]
