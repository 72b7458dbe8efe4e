"""What templates need beyond Django's own: numbers without needless zeros, minutes as a clock, a key for each form."""

from __future__ import annotations

import ipaddress
import secrets
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.utils import timezone
from django.utils.html import format_html

from regrow.catalog import protocols
from regrow.clinic.cards import ROUTES

register = template.Library()


@register.filter
def plain(value: Any) -> str:
    """A number as people write it: 40, 0.5, – for none."""
    return "–" if value is None else f"{value:g}" if isinstance(value, float | int) else str(value)


@register.filter
def clock(value: datetime | None) -> Any:
    """The time of day in the clinic's zone, as an element a script may count from."""
    if value is None:
        return "–"
    local = timezone.localtime(value)
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), local.strftime("%H:%M"))


@register.filter
def day(value: Any) -> Any:
    """A date, or a moment in the clinic's zone, as an element that is never broken over two lines."""
    if value is None:
        return "–"
    words = f"{value.day} {value:%b %Y}"
    if isinstance(value, datetime):
        value = timezone.localtime(value)
        words = f"{value:%a} {value.day} {value:%b %Y %H:%M}"
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), words)


@register.filter
def epoch(value: datetime | None) -> str:
    """Milliseconds since 1970, for the browser's clock."""
    return "" if value is None else str(int(value.timestamp() * 1000))


@register.simple_tag
def form_key() -> str:
    """A fresh key for one form, so that a form sent twice is one record."""
    return secrets.token_hex(12)


@register.simple_tag(takes_context=True)
def numeric_address(context: Any) -> str:
    """The bare number in the page's address; empty where it is a name. A browser gives a passkey to a name alone."""
    host = urlsplit(f"//{context['request'].get_host()}").hostname or ""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """An item of a mapping by a name that is not fixed."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.filter
def newest_of(state: Any, staff: Any) -> Any:
    """The newest entry that one person made in a session; None where they made none."""
    return state.newest.get(staff.pk) if staff else None


@register.filter
def may_strike(state: Any, fact: Any) -> bool:
    """True when an entry may be taken back now."""
    return fact is not None and state.may_be_struck(fact.kind)


@register.filter
def twin(state: Any, seq: int) -> Any:
    """The same round as someone else kept it a moment before; None where nobody did."""
    return state.twin(seq) if state else None


UNSAID = frozenset({"findings", "finding", "settings", "clock_off_s", "confirmed"})  # kept beside what a person said


@register.filter
def in_words(payload: Any) -> str:
    """What was said in an entry: names without underscores, numbers without needless zeros, yes and no."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_word(value)}" for name, value in payload.items() if name not in UNSAID
    )


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return in_words(value)
    return ", ".join(map(plain, value)) or "none" if isinstance(value, list | tuple) else plain(value)


@register.filter
def told(fact: Any) -> str:
    """An entry in a few words: its kind and what was said in it; a text needs no name."""
    words = [v if isinstance(v, str) else in_words({k: v}) for k, v in fact.payload.items() if k not in UNSAID]
    return ": ".join(filter(None, [fact.kind, ", ".join(words)]))[:80]


@register.filter
def total(values: Any) -> float:
    """The sum of a score's items."""
    return sum(values or ())


@register.filter
def protocol(name: str) -> str:
    """The title of a protocol of the catalog; its id where the catalog has lost it."""
    return protocols.get(name).title if name in protocols.ids() else name


@register.filter
def route(name: str) -> str:
    return ROUTES.get(name, name)


@register.filter
def age(patient: Any) -> int:
    return patient.age_on(timezone.localdate())
