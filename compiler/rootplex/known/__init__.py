"""The device catalogue: what known devices say of themselves, as data, and the reader of that data."""
