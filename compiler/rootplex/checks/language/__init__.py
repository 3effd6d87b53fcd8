"""Block 00: what a schema cannot say about a description."""
