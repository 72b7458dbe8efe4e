"""One linear-algebra thread per test process: two workers with two each fight over two cores, 3 to 40 times slower."""

import os

# Before numpy is imported; the workers and the commands that the tests start inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
