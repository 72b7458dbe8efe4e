"""Consent texts, versioned: what a person is told before they sign. A changed text has a new hash and asks again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

VERSION = "2026-11-c"

_COMMON = (
    "Other ways to treat this include other medicines (esketamine nasal spray is one), psychotherapy, "
    "electroconvulsive therapy, transcranial magnetic stimulation and no treatment.",
    "It may help, and what it does may fade after days or weeks. It may not help at all.",
    "Side effects are common. During it you may feel unreal, sleepy, dizzy or sick, and your blood pressure may rise. "
    "We watch you throughout.",
    "If something goes wrong we stop the drug, help you at once and call an ambulance if that is needed.",
    "Used often it can harm bladder and liver and affect memory. Tell us about pain or blood when passing urine.",
    "It can be misused and can cause dependence.",
    "It must not be used in pregnancy or while breastfeeding. Use contraception, and tell us if you could be pregnant.",
    "Tell us every medicine, alcohol and drug. Keep to the times without food and drink that we give you.",
    "Bring an adult who takes you home. Do not drive, use machines or sign contracts until the next day after a full "
    "night's sleep.",
    "If you think of harming yourself, tell us or call your crisis line at once.",
    "Ask us how many sessions are planned and what they cost. You may stop at any time.",
    "We take no photo or video of you unless you agree to it on a paper of its own.",
    "Your records are kept in this clinic. Predictions are simulated, not measured. regrow is not a medical device.",
)
_OFF_LABEL = (
    "Ketamine is approved as an anaesthetic. Its use for your condition is off-label: the authorities have not "
    "approved it for this."
)
_LABELLED = (
    "Esketamine nasal spray is approved for adults with treatment-resistant depression, or depression with acute "
    "suicidal thoughts. For anything else its use is off-label: the authorities have not approved it for that. It is "
    "given only under a safety programme (REMS); you stay at least two hours."
)


WAYS = {
    "iv": "given slowly into a vein",
    "im": "given by injection into a muscle",
    "sc": "given by injection under the skin",
    "intranasal": "given as a nasal spray",
    "oral": "to swallow",
    "sublingual": "to dissolve under the tongue",
}


@dataclass(frozen=True)
class ConsentText:
    version: str
    lines: tuple[str, ...]
    off_label: bool

    @property
    def hash(self) -> str:
        return hashlib.sha256("\n".join((self.version, *self.lines)).encode()).hexdigest()


def text_for(drug: str, route: str) -> ConsentText:
    """The text for a drug and route; off-label for everything but nasal esketamine."""
    labelled = drug == "esketamine" and route == "intranasal"
    how = f"You are offered {drug}, {WAYS.get(route, f'given by this route: {route}')}."
    return ConsentText(VERSION, (how, _LABELLED if labelled else _OFF_LABEL, *_COMMON), not labelled)
