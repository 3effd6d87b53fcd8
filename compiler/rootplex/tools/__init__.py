"""The programs that are not ours: one bounded runner for iasl, acpiexec, dtc and qemu."""
