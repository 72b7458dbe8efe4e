"""All that is data, and its only reader."""
