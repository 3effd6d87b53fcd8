"""The platform language: a YAML description to the model, or findings that name line and column."""
