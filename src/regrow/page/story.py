"""The words of the page: how ketamine works step by step, what is known of it in people, and what nobody knows.

The one thing to know: every sentence here is for a reader without pharmacology, and each says no more than the research
notes hold. The claims of clinic pages that the evidence contradicts are answered here and never repeated. What is known
is known of ketamine and its two halves; under another drug a page shows the curves and says only what `OTHERS` holds.
"""

from __future__ import annotations

from dataclasses import dataclass

NOT_A_DEVICE = "Not a medical device. Everything on this page is simulated; nothing on it was observed in a patient."

PEOPLE, PARTLY, ANIMALS, MODEL = "measured in people", "partly seen in people", "seen in animals", "a model's estimate"


@dataclass(frozen=True)
class Curve:
    """One line of a step: a read-out and what to call it."""

    readout: str
    name: str


@dataclass(frozen=True)
class Step:
    """One step from dose to mood: what happens, over which time to look, and what is known of it in people.

    `title`, `says` and `people` are of ketamine, `{drug}` being the one given; `bare` is the title under other drugs.
    """

    title: str
    bare: str
    curves: tuple[Curve, ...]
    hours: float
    says: str
    status: str
    people: str
    unit: str = ""
    shows: tuple[float, float] | None = None  # the least the axis shows, so that a small change looks small
    level: tuple[float, str] | None = None


STEPS = (
    Step(
        "{drug} enters the blood",
        "Level in the blood",
        (Curve("ketamine_arterial", "arterial"), Curve("ketamine_venous", "venous")),
        6,
        "The level rises while the drug goes in, falls fast afterwards, and is almost nothing the next day. "
        "A blood sample from the arm shows the venous level.",
        PEOPLE,
        "Measured in volunteers and patients. The same infusion of 0.5 mg/kg ketamine reads 125 to 296 ng/mL, by where "
        "and when one samples.",
        shows=(0, 0),
    ),
    Step(
        "The liver turns it into other substances",
        "Breakdown products",
        (Curve("norketamine", "norketamine"), Curve("hnk", "hydroxynorketamine")),
        24,
        "They come later and stay longer than ketamine. No effect in this model rests on them.",
        PEOPLE,
        "Both were measured in volunteers. For hydroxynorketamine the studies differ about three-fold: the shading "
        "shows three times less to three times more.",
        shows=(0, 0),
    ),
    Step(
        "It reaches the receptors in the brain",
        "Level at the receptors in the brain",
        (Curve("effect_site", "free drug at the receptor"),),
        6,
        "The brain follows the blood with a half-time of about 8 minutes.",
        MODEL,
        "The delay was estimated from effects in volunteers; the level in the brain itself cannot be measured.",
        shows=(0, 0),
    ),
    Step(
        "Three groups of NMDA receptors are blocked, unequally",
        "Block of three groups of NMDA receptors",
        (
            Curve("block_resting", "resting"),
            Curve("block_interneuron", "on inhibitory cells"),
            Curve("block_phasic", "carrying signals"),
        ),
        6,
        "Resting receptors and those on inhibitory cells are blocked most, those that carry signals least. "
        "Sparing the last group is why a moderate dose works and an anaesthetic one does not.",
        MODEL,
        "No usable measurement of receptor block in people exists. The unequal block comes from cells and animals.",
        unit="share blocked",
        shows=(0, 0),
    ),
    Step(
        "Glutamate rises",
        "Glutamate",
        (Curve("glutamate", "glutamate"),),
        6,
        "With inhibitory cells held back, nerve cells release more glutamate for an hour or two.",
        PARTLY,
        "Brain spectroscopy: 38 % more glutamate and glutamine at 26 minutes (Milak 2016); glutamine cycling up 13 % "
        "during the infusion (Abdallah 2018).",
        unit="times the start",
    ),
    Step(
        "A brake on making proteins is released",
        "A brake on making proteins (p-eEF2)",
        (Curve("p_eef2", "p-eEF2"),),
        24,
        "Quieter resting receptors lower p-eEF2. That lets nerve cells make new BDNF, a growth factor.",
        ANIMALS,
        "Seen in mice, where it is over within 8 hours. Not measured in people.",
        unit="times the start",
    ),
    Step(
        "BDNF is released",
        "BDNF",
        (Curve("bdnf", "BDNF"),),
        24,
        "The new BDNF leaves the cells where glutamate is active. Both are needed: made and released.",
        ANIMALS,
        "Seen in mice. In people only BDNF in the blood is known: higher after 4 hours in those who got better.",
        unit="relative units",
        shows=(0, 0),
    ),
    Step(
        "Growth signals switch on (mTORC1)",
        "Growth signals (mTORC1)",
        (Curve("mtorc1", "mTORC1"),),
        24,
        "BDNF starts the machinery that makes the parts of synapses. It runs for some hours.",
        ANIMALS,
        "Seen in rats. In 20 people rapamycin, which blocks mTORC1, did not stop the effect at 24 hours: this step may "
        "matter less in people.",
        unit="relative units",
        shows=(0, 0),
    ),
    Step(
        "Synaptic proteins are made",
        "Synaptic proteins",
        (Curve("synaptic_proteins", "synaptic proteins"),),
        168,
        "The parts of synapses increase over hours and stay for days.",
        ANIMALS,
        "Seen in rats, from 2 hours on. Not measured in people.",
        unit="relative units",
        shows=(0, 0),
    ),
    Step(
        "Some connections between nerve cells grow back",
        "Connections between nerve cells",
        (Curve("synapse_density", "synapse density"),),
        168,
        "New contacts form and part of them stay. The change is small, and slower than the change in mood.",
        ANIMALS,
        "Seen in mice. In people, density hardly moves: brain imaging showed no overall change 24 hours after a dose "
        "(Holmes 2022). That lost connections regrow in people is not shown.",
        unit="share of healthy",
        shows=(0.5, 1.0),
        level=(1.0, "healthy"),
    ),
    Step(
        "Mood lifts",
        "Mood",
        (Curve("madrs", "MADRS"),),
        168,
        "The score falls within hours, is lowest after a day or two, and rises again without another dose.",
        PEOPLE,
        "Measured in every trial. In pooled trials of one dose 52 of 100 people responded at 24 hours, 40 at 7 days, "
        "expectancy included.",
        unit="MADRS, points",
        shows=(0, 40),
    ),
)

BELIEFS = {
    "open": "everyone knows that they get the drug",
    "saline-blind": "people know that it may be salt water, and many can tell",
    "active-placebo": "people know that it may be midazolam, and are less sure",
    "masked": "nobody can tell what was given",
    "none": "expectancy is switched off",
}

EXPECTANCY = (
    "Being treated helps by itself. In one trial the score fell by 16.5 points a day after ketamine and by 8.8 after "
    "midazolam, which served as placebo (Murrough 2013). Where anaesthesia hid what was given, ketamine and salt water "
    "were alike: 12.4 and 13.5 points (Lii 2023). About half of what open treatment shows is not the drug."
)

SIDE_EFFECTS = (
    "Side effects are common. In trials of esketamine spray 61 to 75 % of people felt dissociated and 48 to 61 % "
    "sedated. In 2,342 infusions of one clinic the pressure was highest about 40 minutes after the start, on average "
    "16/11 mmHg up, and rose severely in about 1 of 100, often in the first three infusions (General Hospital "
    "Psychiatry, 2024). The curves here lie lower: they stand between that clinic and two others (+3 and +7 mmHg), "
    "and leave out the scatter of single readings, of which the largest lies 6 to 9 mmHg higher even without a drug. "
    "The pressure of older people rises more: by 40 mmHg or more in 17 % of those from 65 years on over eight sprays, "
    "in 8 % below (US label). Nausea and dizziness also occur, mostly in the same people each time. Nobody drives or "
    "operates machines until the next day, after a night's sleep."
)

R_ALONE = (
    "Dissociation, pressure and pulse follow S-ketamine alone in this model, as was found in volunteers who got both "
    "halves or S. So they stay where they start here; that arketamine has no such effects is not shown."
)

RISKS = (
    "Not simulated: ketamine can be misused and can cause dependence, and is a controlled drug. Frequent use can harm "
    "the bladder, the liver and thinking."
)

DECIDE = "Whether treatment is right for a person is for that person and a clinician to decide."

APPROVAL = (
    "In the United States racemic ketamine is approved as an anaesthetic, not for depression: its use for mood is "
    "off-label. Esketamine nasal spray is approved for depression that other drugs have not helped, in certified "
    "settings."
)


@dataclass(frozen=True)
class Other:
    """What a page says under a drug that is no ketamine: of its way to the mood, and of its side effects."""

    mood: str
    body: str


OTHERS = {
    "placebo": Other(
        "A placebo takes none of the steps that ketamine takes. What the score does here is expectancy and the course "
        "of time.",
        "A placebo has no side effects in this model: the curves would stay where they start.",
    ),
    "midazolam": Other(
        "Midazolam blocks no NMDA receptors, so it takes none of the steps that ketamine takes. What the score does "
        "here is expectancy and the course of time.",
        "Midazolam sedates, and that alone is followed here. Nobody drives or operates machines until the next day, "
        "after a night's sleep.",
    ),
    "memantine": Other(
        "Memantine blocks NMDA receptors too, but in mice it left the resting ones and BDNF alone (Gideons 2014): here "
        "the mood does not lift by it.",
        "The model has no numbers for the side effects of memantine.",
    ),
    "mk-801": Other(
        "MK-801 is not given to people. It is here for experiments on the mechanism, with levels from mice.",
        "The model has no numbers for the effects of MK-801 on the body.",
    ),
    "ssri": Other(
        "An SSRI takes none of the steps that ketamine takes. Its own slow arm moves the score over weeks, beside "
        "expectancy, being newly treated and the course of time.",
        "The side effects of an SSRI are not simulated.",
    ),
    "pill": Other(
        "A tablet without a drug takes none of the steps that ketamine takes. What the score does here is expectancy, "
        "being newly treated and the course of time.",
        "A tablet without a drug has no side effects in this model.",
    ),
    "ect": Other(
        "Electroconvulsive therapy takes none of the steps that ketamine takes. Its own arm moves the score with each "
        "treatment, beside expectancy and the course of time.",
        "The side effects of electroconvulsive therapy and of its anaesthetic are not simulated.",
    ),
}
UNNAMED = Other("What is known of the steps is known of ketamine.", "The side effects of this drug are not told here.")

_EXPECTED = "How much of an effect is expectancy. People notice what they get, so trials are hard to keep blind."

UNKNOWN = (
    "Who will get better. About half of the people improve clearly after one dose and the others hardly change; "
    "nothing measured beforehand tells them apart well.",
    _EXPECTED,
    "Whether synapses regrow in people. It is seen in mice; imaging in people showed no overall change at 24 hours.",
    "How many receptors are blocked in a person's brain at a treatment dose.",
    "What the breakdown products norketamine and hydroxynorketamine add. Here their part is small or none.",
    "How far the steps in the middle carry over. BDNF, mTORC1 and the proteins were measured in animals.",
    "How long to go on. After six infusions half of those helped relapsed within about 18 days; how best to hold "
    "the effect for months is open, and so is safety over years.",
)
UNKNOWN_OF_OTHERS = (_EXPECTED,)
