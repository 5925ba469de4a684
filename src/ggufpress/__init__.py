"""Turn a Hugging Face checkpoint into GGUF files."""
