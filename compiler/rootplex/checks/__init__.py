"""What is wrong with a platform: a folder a block, a module a check or a family of them (`registry`)."""
