"""Dom0: Linux, by profile, finding host bridges in its firmware and devices behind them. `boot` is the way
in, `hypervisor` the seam to Xen."""
