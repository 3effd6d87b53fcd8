"""The jobs of the users' words, each a pure function over the rooms: describe, check, validate."""
