"""The long form of tests/clinic/test_faults.py and tests/browser/test_offline.py. Exit 1 when anything was lost."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clinic import storm
from clinic.postgresql import postgresql
from clinic.serving import Clinic

HERE = Path(__file__).resolve().parent.parent
AWAY_SECONDS, CHAIRS = 120, 20


def faults(database: str, kills: int, entries: int, seed: int) -> dict[str, object]:
    """One database's row: what was acknowledged and stored, and whether they are the same."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        url = postgresql().new_database() if database == "postgresql" else ""
        clinic = Clinic(Path(folder) / "data", chairs=CHAIRS, database=url)
        found = storm.run(clinic, kills, entries, seed)
        clinic.close()
    lost = found.acknowledged - found.stored
    doubled = {key: n for key, n in found.stored.items() if n > 1}
    whole = found.chain.endswith(" 0 faults")
    return {
        "database": database,
        "kills": found.kills,
        "acknowledged": len(found.acknowledged),
        "acknowledged_by_a_repeat": found.repeated,
        "stored": found.stored.total(),
        "lost": len(lost),
        "doubled": len(doubled),
        "other_answers": len(found.odd),
        "chain": "whole" if whole else found.chain,
        "seconds": round(time.monotonic() - begun),
        "good": whole and found.stored == found.acknowledged and not found.odd,
    }


def offline() -> dict[str, object]:
    """A tablet without its server for two real minutes in mid-infusion: the browser test, at full length."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "tests/browser/test_offline.py", "-k", "server_is_dead"]
    environment = {**os.environ, "REGROW_AWAY_SECONDS": str(AWAY_SECONDS)}
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True)
    return {"offline_seconds": AWAY_SECONDS, "good": done.returncode == 0, "said": done.stdout.strip()[-200:]}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=200)
    asked.add_argument("--entries", type=int, default=5000)
    asked.add_argument("--seed", type=int, default=1)
    said = asked.parse_args()
    rows: list[dict[str, object]] = []
    for row in (
        lambda: faults("sqlite", said.kills, said.entries, said.seed),
        lambda: faults("postgresql", said.kills, said.entries, said.seed),
        offline,
    ):
        rows.append(row())
        print("  ".join(f"{name}: {value}" for name, value in rows[-1].items()), file=sys.stderr, flush=True)
    print(json.dumps({"rows": rows}, indent=1))
    sys.exit(0 if all(row["good"] for row in rows) else 1)


if __name__ == "__main__":
    main()
