"""When vitals are next due, how long a person is watched, and what stands out at once about a typed value.

The one thing to know: a round is due so many minutes after the last reading, never on a fixed grid, so that no two
readings are ever further apart than the interval; a worrying pressure shortens the interval.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from regrow.safety.settings import Settings


@dataclass(frozen=True)
class Rounds:
    """The watch over one session. `steps` are (until minute, interval) from the drug, `after` the interval once the
    drug has ended; `tight` a shorter one that holds until its minute whether the drug runs or not; `anchors` minutes at
    which a reading is required in any case; `observe` minutes, from the end of the drug (`from_end`) or from its
    first dose."""

    steps: tuple[tuple[float, float], ...]
    after: float
    observe: float
    from_end: bool
    anchors: tuple[float, ...] = ()
    source: str = ""
    tight: tuple[float, float] | None = None

    def interval(self, minute: float, running: bool) -> float:
        """Minutes to the next reading after one at this minute from the drug."""
        every = self._usual(minute, running)
        return min(every, self.tight[1]) if self.tight and minute < self.tight[0] else every

    def _usual(self, minute: float, running: bool) -> float:
        if not running and self.from_end:
            return self.after
        for until, every in self.steps:
            if minute < until:
                return every
        return self.after

    def due(self, last: float, running: bool, settings: Settings, sooner: float | None = None) -> float:
        """Minute at which the next reading is due after one at `last`; `sooner` shortens the interval."""
        every = self.interval(last, running)
        when = last + (min(every, sooner) if sooner is not None else every)
        ahead = [a for a in self.anchors if a > last + settings.anchor_window]
        return min([when, *ahead[:1]])


def rounds(drug: str, route: str, use: str, settings: Settings, *, maoi: bool = False) -> Rounds:
    """The watch for a route and use (mood, pain); tighter with an MAO inhibitor."""
    s = settings
    if route == "intranasal":
        watch = Rounds(
            ((1e9, s.round_nasal),),
            s.round_nasal,
            s.observe_nasal,
            False,
            (40.0, 80.0),
            "Spravato label and REMS: BP at 40 min and before leaving (read); every 15 min assumed",
        )
    elif route in ("im", "sc"):
        watch = Rounds(((10, 5), (60, 10), (1e9, 15)), 15, s.observe_im, False, (), "assumed")
    elif route in ("oral", "sublingual"):
        watch = Rounds(((60, 15), (1e9, 30)), 30, s.observe_oral, False, (), "assumed")
    elif use == "pain":
        steps = ((60, s.round_iv), (1e9, 15))
        watch = Rounds(steps, s.round_after, s.observe_pain, True, (), "assumed")
    else:
        watch = Rounds(
            ((1e9, s.round_iv),),
            s.round_after,
            s.observe_iv,
            True,
            (),
            "Dothan clinic 10 to 15 min; Yale and Emory every 10 min (read)",
        )
    return replace(watch, tight=(60.0, s.round_maoi)) if maoi else watch
