"""The platform as a person described it: frozen values, each knowing where it was written."""
