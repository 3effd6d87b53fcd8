"""09: what Xen makes of the platform, and Dom0 on top of it."""
