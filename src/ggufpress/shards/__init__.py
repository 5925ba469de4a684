"""Splitting GGUF files into shards and merging shards: what goes where, then the copying."""
