"""ACPI tables and AML to facts: a table each by `read_…`, AML through `acpiexec` (`aml.evaluate`)."""
