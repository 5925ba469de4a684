"""Proof after the work: structure, blocks, and the error against the source."""
