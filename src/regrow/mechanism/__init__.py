"""How ketamine works: the model text and its parameters."""
