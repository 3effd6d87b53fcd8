"""Findings and results as people and programs read them: text, short, JSON, SARIF, JUnit."""
