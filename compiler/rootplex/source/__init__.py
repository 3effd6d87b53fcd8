"""Text with places: where a value was written, the YAML 1.2 loader, and findings that point there."""
