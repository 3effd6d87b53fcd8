"""05: groups, and what a guest meets that is to be given devices."""
