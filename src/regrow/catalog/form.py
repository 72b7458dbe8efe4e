"""What every file of the catalog is read into: a value that knows all its keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Form(BaseModel):
    """A table of a TOML file, checked: a key it does not know is refused, a number is finite, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
