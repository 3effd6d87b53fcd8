"""Block 00: what QEMU cannot be told; the checks are in the backend, the pages here."""
