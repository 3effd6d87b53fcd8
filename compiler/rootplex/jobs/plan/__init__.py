"""`plan`: how to give each guest what it is to have, or why it may not be given."""
