"""The model held against published studies: what was seen beside what is predicted, and a verdict on each figure.

`check(paths)` reads evidence files, from the shelf or from anywhere, simulates their arms for the people they state and
judges every figure. `Report.to_json()` is the contract's object, `Report.as_text()` the table for people.
"""

from regrow.evidence.checking import Report, Row, Tally, check, check_study
from regrow.evidence.simulated import Simulated, Unpredictable

__all__ = ["Report", "Row", "Simulated", "Tally", "Unpredictable", "check", "check_study"]
