"""What regrow says when it will not do something: a stable code and one plain sentence.

A refusal names the field, the value, the limit and the way out, so that a person can mend the input without
reading code. The command line prints it on one line; the clinic shows it beside the field.
"""

from __future__ import annotations


class Refusal(ValueError):
    """Bad input, refused with a stable code.

    `code` matches [A-Z][A-Z0-9-]*; `sentence` is one line naming field, value, limit and way out;
    `field` and `value` repeat what was refused, for programs.
    """

    def __init__(self, code: str, sentence: str, *, field: str = "", value: object = None) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence
        self.field = field
        self.value = value

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class Failure(RuntimeError):
    """Could not finish, though the input was good (a full disk, a solver that gave up): exit 1.

    `code` and `sentence` as in `Refusal`; nothing half done is left behind.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"
