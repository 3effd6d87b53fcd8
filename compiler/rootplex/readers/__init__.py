"""Bytes of firmware artifacts to typed facts: device tree blobs, ACPI tables and their AML.

Facts say what is in the bytes and where (`Place`), never what a kernel makes of it. What is
malformed inside a readable artifact is a `Problem` beside the facts; an artifact that cannot be
read at all is one `Unreadable`.
"""
