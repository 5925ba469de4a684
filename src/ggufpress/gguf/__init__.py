"""The GGUF container: typed values, the header, the reader."""
