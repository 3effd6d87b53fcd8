"""Xen from bytes and hypercalls: its boot, its device records, its answers and its crashes.

Sources: the Xen tree at 4.23-unstable, as docs/reference/xen.md has it clause by clause
(§ numbers in docstrings are that reference's). A panic, BUG, assertion or abort of Xen is a value
(`outcome.Crash`), never an exception out of the simulator.
"""
