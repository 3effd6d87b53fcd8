"""Snapshots of a running machine: the script that takes one, and its reader."""
