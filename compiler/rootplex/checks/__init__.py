"""What is wrong with a platform: one module a check, one explicit list (`registry`)."""
