"""Model text to kernel to numbers. Knows no pharmacology."""
