"""One linear-algebra thread per test process: two workers with two each fight over two cores, 3 to 40 times slower."""

import os

import pytest

# Before numpy is imported; the workers and the commands that the tests start inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> str:
    """The records of the research notes that a golden number is from (`pk_oracle.record`)."""
    return request.param
