"""Dom0: Linux, by profile, finding host bridges in its firmware and devices behind them."""
