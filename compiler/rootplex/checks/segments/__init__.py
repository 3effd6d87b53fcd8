"""Block 02: segment numbers and bus ranges."""
