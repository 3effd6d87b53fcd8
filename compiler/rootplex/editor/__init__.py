"""The language server: what `check` finds, as it is typed, and what is known of every name, where it stands.

It calls jobs, as `cli` does. Everything that an editor asks is answered from a `Document`: its text as it is
now, the tree of the last text that parses, and the last result that has a machine.
"""
