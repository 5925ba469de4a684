"""What is read: a checkpoint described by its headers, and tensor bytes in slabs."""
