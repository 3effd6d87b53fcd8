"""03: where the platform boots from, and whether that can be reached."""
