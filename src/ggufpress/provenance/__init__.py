"""Where a file comes from: its manifest checked and carried out again, and files of others audited against a source."""
