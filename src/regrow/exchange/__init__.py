"""Formats that others own."""
