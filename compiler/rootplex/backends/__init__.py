"""From the model to artifact bytes, each with a map from its places to the source."""
