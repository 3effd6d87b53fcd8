"""What is known of the world by name: devices (data files and their reader), and Linux's kernels."""
