"""Twenty kills -9 at random moments while eight people write, on SQLite and on a real PostgreSQL.

Nothing acknowledged is lost, nothing is doubled, and the chain of hashes is whole. `bench/faults` runs 200 kills.
"""

import pytest
from clinic import storm
from clinic.postgresql import postgresql
from clinic.serving import Clinic


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_was_acknowledged_is_stored_once_each_though_the_server_was_killed_twenty_times(database, tmp_path):
    url = postgresql().new_database() if database == "postgresql" else ""
    clinic = Clinic(tmp_path / "data", database=url)
    found = storm.run(clinic, kills=20)
    clinic.close()
    assert found.odd == []
    assert len(found.acknowledged) > 20
    assert found.stored == found.acknowledged
    assert found.chain.endswith(" 0 faults"), found.chain
