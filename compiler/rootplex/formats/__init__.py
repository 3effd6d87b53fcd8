"""Names and layouts that those who write artifacts share with those who read them; no arithmetic."""
