"""What is wrong with a platform: a folder a block, a module a family of checks (`registry`)."""
