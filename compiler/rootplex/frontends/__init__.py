"""From text and from vendor firmware to the model."""
