"""Findings of `validate`: a source against a description, and a snapshot against itself."""
