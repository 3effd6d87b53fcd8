"""A whole boot: `run.simulate` from artifact bytes to an `outcome.Outcome`, with Xen below Linux or without;
`trace` writes down every access and call."""
