"""Model architectures, each described by a pure function of the config: names, metadata, operations."""
