"""The clinic: a Django project that plans, delivers and follows treatment. Only the command line imports it.

The one thing to know: views read through `access` (logged) and write through `actions` (idempotent, hash-chained); the
state of a session is computed by `session` from append-only entries and `now`, and stored nowhere.
"""
