"""Writes on the clinic itself: staff, duty, chairs, sites, the numbers of the safety rules, one-time links."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from regrow.clinic import access, chain
from regrow.clinic.actions import Act, action
from regrow.clinic.models import Chair, Duty, OneTimeLink, SettingChange, Site, Staff
from regrow.refusal import Refusal

LINK_HOURS = 24
DOUBLE_TAP = timedelta(minutes=1)


@action("duty.write")
def go_on_duty(act: Act, site: Site, on: bool) -> Duty | None:
    """A prescriber comes on duty at a site, says so again before the word has ended, or goes off it. A second tap, and
    going off when not on, write nothing."""
    from regrow.clinic.actions.intake import _entitled

    if on:
        _entitled(act)
    until = dict(access.duties(site)).get(act.staff)
    if (until is None and not on) or (until is not None and on and act.now - (until - access.DUTY_LASTS) < DOUBLE_TAP):
        return None
    row = Duty.objects.create(site=site, staff=act.staff, on=on, at=act.now)
    act.log("on duty" if on else "off duty", row)
    return row


@action("settings.write")
def change_setting(act: Act, name: str, value: float, reason: str) -> SettingChange:
    """A changed number of the safety rules; refuses an unknown name, a number outside its range, an empty reason."""
    access.settings_now().changed({name: value})
    if len(reason.strip()) < 5:
        raise Refusal("REASON-MISSING", f"{name}: write why it changes.", field="reason")
    row = SettingChange.objects.create(name=name, value=value, reason=reason.strip()[:200], by=act.staff, at=act.now)
    act.log(f"setting {name}", row)
    return row


@action("staff.write")
def record_staff(act: Act, username: str, values: dict[str, Any], sites: list[Site]) -> Staff:
    """A new person of the staff; they sign in first by a one-time link."""
    users = get_user_model()
    if users.objects.filter(username=username).exists():
        raise Refusal("USERNAME-TAKEN", f"user name {username!r} is taken; choose another.", field="username")
    user = users.objects.create(username=username, password=make_password(None))
    staff = Staff.objects.create(user=user, **values)
    staff.sites.set(sites)
    act.log("write staff", staff)
    return staff


@action("staff.write")
def change_staff(act: Act, staff: Staff, values: dict[str, Any]) -> Staff:
    """Changed role, credentials or activity; refuses to take the last administrator away."""
    if staff.role == "administrator" and (values.get("role") != "administrator" or values.get("active") is False):
        others = Staff.objects.filter(role="administrator", active=True).exclude(pk=staff.pk)
        if not others.exists():
            raise Refusal(
                "LAST-ADMINISTRATOR", "staff: this is the last administrator; name another first.", field="role"
            )
    for name, value in values.items():
        setattr(staff, name, value)
    staff.save()
    act.log("write staff", staff)
    return staff


@action("staff.write")
def add_chair(act: Act, site: Site, name: str) -> Chair:
    """A chair of a site; the same name is the same chair."""
    chair, new = Chair.objects.get_or_create(site=site, name=name)
    if new:
        act.log("write chair", chair)
    return chair


@action("staff.write")
def invite(act: Act, staff: Staff, minutes: int = LINK_HOURS * 60) -> str:
    """The token of a new one-time link for a colleague; shown once, kept only as a hash."""
    act.log("one-time link", staff)
    return new_link(staff.user, act.now, minutes)


def new_link(user: Any, now: datetime, minutes: int = LINK_HOURS * 60) -> str:
    """The token of a one-time link for a user."""
    token = secrets.token_urlsafe(32)
    OneTimeLink.objects.create(user=user, token_hash=_hashed(token), expires_at=now + timedelta(minutes=minutes))
    return token


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def use_link(token: str, now: datetime) -> Any | None:
    """The user a link belongs to, once; None for a link unknown, used or over."""
    row = OneTimeLink.objects.filter(token_hash=_hashed(token), used_at=None, expires_at__gt=now).first()
    if row is None or not row.user.is_active:
        return None
    used = OneTimeLink.objects.filter(pk=row.pk, used_at=None).update(used_at=now)
    if not used:
        return None
    chain.log(row.user.username, "sign in by link", now)
    return row.user


def set_pin(act: Act, pin: str) -> Staff:
    """One's own PIN of six digits, for unlocking and witnessing; refuses a run or a repetition of digits."""
    if not re.fullmatch(r"\d{6}", pin) or len(set(pin)) < 3 or pin in "0123456789876543210":
        raise Refusal("PIN-WEAK", "PIN: six digits, not a run and not a repetition.", field="pin")
    act.staff.pin = make_password(pin)
    act.staff.save()
    act.log("set PIN", act.staff)
    return act.staff
