"""Block 04: the way of requester ids to IOMMUs and MSI controllers."""
