# ruff: noqa: E501
"""What a person's other medicines do with ketamine: a table of classes, agents, effect, action and source.

The one thing to know: a name outside the table is said to be unknown, never said to be safe. Trade names are those of
the United States, from memory; a nurse writes what stands on the box.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from regrow.safety.finding import RULES, Clearance, Finding, Rule, Say, amber, info, judge, never, rule
from regrow.safety.settings import Settings


@dataclass(frozen=True)
class MedicineFacts:
    """The medicines as written, and what is planned: drug (ketamine, esketamine) and route (iv, im, intranasal ...)."""

    medicines: tuple[str, ...]
    drug: str = "ketamine"
    route: str = "iv"


@dataclass(frozen=True)
class Interaction:
    id: str
    name: str
    agents: str
    action: str  # info | warn | block
    effect: str
    source: str


TABLE = (
    Interaction("R-IX-01", "benzodiazepine", "alprazolam lorazepam diazepam clonazepam temazepam oxazepam chlordiazepoxide midazolam triazolam bromazepam nitrazepam clobazam flurazepam estazolam quazepam clorazepate lormetazepam flunitrazepam xanax ativan valium klonopin rivotril restoril serax librium versed halcion", "warn",
        "more sedation, shorter or weaker effect on mood; if safe, hold 12 h (short) or 24 h (long acting) before, never an abrupt stop", "Veraart 2021; Andrade 2017; Spravato US label (read)"),
    Interaction("R-IX-02", "lamotrigine", "lamotrigine lamictal", "info", "may blunt the effect (2 of 5 studies) and the dissociation", "Veraart 2021 (read)"),
    Interaction("R-IX-03", "MAO inhibitor", "phenelzine tranylcypromine isocarboxazid selegiline rasagiline safinamide moclobemide linezolid nardil parnate marplan emsam zelapar azilect xadago zyvox", "warn",
        "blood pressure may rise; measure every 5 min in the first 60 min (assumed)", "Spravato US label; REMS form; Veraart 2021 (read)"),
    Interaction("R-IX-04", "psychostimulant", "amphetamine amfetamine dextroamphetamine lisdexamfetamine methylphenidate dexmethylphenidate modafinil armodafinil atomoxetine methamphetamine adderall vyvanse ritalin concerta focalin dexedrine evekeo provigil nuvigil strattera phentermine", "warn",
        "pressure and heart rate rise; hold the morning dose (assumed)", "Spravato US label; REMS form (read)"),
    Interaction("R-IX-05", "opioid", "morphine oxycodone hydrocodone hydromorphone fentanyl methadone buprenorphine tramadol tapentadol codeine oxymorphone pethidine meperidine percocet oxycontin roxicodone vicodin norco dilaudid duragesic dolophine suboxone subutex sublocade ultram nucynta opana demerol kratom heroin", "warn",
        "sedation and respiratory depression; SpO2 without a break, EtCO2 where there is one", "REMS form (read)"),
    Interaction("R-IX-06", "other sedative", "alcohol zolpidem zopiclone eszopiclone zaleplon gabapentin pregabalin baclofen phenobarbital quetiapine trazodone mirtazapine hydroxyzine diphenhydramine carisoprodol tizanidine cyclobenzaprine promethazine ethanol ambien lunesta sonata neurontin gralise lyrica lioresal seroquel desyrel remeron vistaril benadryl soma zanaflex flexeril phenergan oxybate xyrem xywav cannabis doxylamine suvorexant lemborexant butalbital", "warn",
        "more sedation; no alcohol for 24 h (assumed)", "Spravato US label (read)"),
    Interaction("R-IX-07", "naltrexone", "naltrexone vivitrol revia contrave", "warn", "may reduce the effect on mood; studies conflict", "Williams 2018 (memory)"),
    Interaction("R-IX-08", "antipsychotic", "clozapine risperidone haloperidol olanzapine aripiprazole clozaril risperdal haldol zyprexa abilify", "info", "may blunt the perceptual effects", "Veraart 2021 (read)"),
    Interaction("R-IX-09", "CYP3A4 or 2B6 inhibitor", "clarithromycin itraconazole ketoconazole ritonavir ticlopidine clopidogrel grapefruit voriconazole nefazodone cobicistat biaxin sporanox nizoral norvir paxlovid plavix vfend posaconazole telithromycin", "warn",
        "exposure rises, most by mouth", "class: Andrade (read); agents: memory"),
    Interaction("R-IX-10", "CYP3A4 or 2B6 inducer", "rifampicin rifampin carbamazepine phenytoin hypericum wort rifadin tegretol dilantin phenobarbital", "info", "exposure falls, much by mouth", "class: Andrade (read); agents: memory"),
    Interaction("R-IX-11", "theophylline", "theophylline aminophylline theo elixophyllin", "block", "lowers the seizure threshold together with ketamine", "ketamine label (memory)"),
    Interaction("R-IX-12", "sympathomimetic or vasopressin", "pseudoephedrine ephedrine phenylephrine vasopressin epinephrine norepinephrine desmopressin midodrine sudafed adrenaline noradrenaline", "warn", "enhanced pressor effect", "ketamine label (memory)"),
    Interaction("R-IX-13", "thyroid hormone", "levothyroxine liothyronine thyroxine synthroid levoxyl cytomel", "info", "hypertension and tachycardia are reported", "memory"),
    Interaction("R-IX-14", "other NMDA blocker", "memantine amantadine dextromethorphan namenda auvelity nuedexta", "warn", "additive NMDA block", "memory"),
    Interaction("R-IX-15", "pressure-lowering medicine", "clonidine propranolol metoprolol atenolol bisoprolol labetalol carvedilol nebivolol verapamil guanfacine catapres inderal lopressor toprol tenormin coreg bystolic calan intuniv tenex", "info", "blunts the rise of pressure (sometimes used on purpose)", "memory"),
    Interaction("R-IX-18", "another ketamine", "ketamine esketamine arketamine spravato ketalar ketanest", "warn",
        "a second source of the same drug: find out who gives it, add up the doses, think of misuse", "Spravato US label: monitor abuse; ASA: diversion (read)"),
)  # fmt: skip
NASAL = "oxymetazoline xylometazoline fluticasone mometasone budesonide triamcinolone azelastine beclometasone beclomethasone afrin flonase nasonex rhinocort nasacort astelin"
# Which benzodiazepines act long, and which medicines keep from mania: memory.
LONG_ACTING = "diazepam valium clonazepam klonopin rivotril chlordiazepoxide librium flurazepam clorazepate quazepam clobazam nitrazepam"
STABILISERS = "lithium lithobid valproate valproic divalproex depakote lamotrigine lamictal carbamazepine tegretol olanzapine zyprexa quetiapine seroquel lurasidone latuda cariprazine vraylar aripiprazole abilify risperidone asenapine ziprasidone"
# Ordinary antidepressants stand in no interaction row; they are known, so they are not called unknown.
QUIET = "sertraline zoloft prozac paxil celexa lexapro effexor pristiq cymbalta fluvoxamine luvox wellbutrin trintellix viibryd buspirone fluoxetine paroxetine citalopram escitalopram venlafaxine desvenlafaxine duloxetine bupropion vortioxetine vilazodone lithium"
HAZARD = "H-07 another medicine makes the dose dangerous"


def classes_of(medicine: str) -> tuple[str, ...]:
    """The interaction classes whose agents are named in the text, in table order; () when none is."""
    words = _words(medicine)
    return tuple(row.name for row in TABLE if words & set(row.agents.split()) or row.name in medicine.lower())


def _words(medicine: str) -> set[str]:
    return set(re.findall(r"[a-z]+", medicine.lower()))


def long_acting(medicine: str) -> bool:
    """True for a benzodiazepine that acts for a day or longer."""
    return bool(_words(medicine) & set(LONG_ACTING.split()))


def stabilises_mood(medicine: str) -> bool:
    """True for a medicine that protects from mania."""
    return bool(_words(medicine) & set(STABILISERS.split()))


def _row(row: Interaction) -> None:
    def present(f: MedicineFacts, s: Settings) -> Iterator[Say]:
        for medicine in f.medicines:
            if row.name in classes_of(medicine):
                text = f"{medicine} ({row.name}): {row.effect}."
                if row.action == "block":
                    yield never(text, medicine=medicine)
                elif row.action == "warn":
                    yield amber(text, Clearance.PRESCRIBER, medicine=medicine)
                else:
                    yield info(text, medicine=medicine)

    RULES[row.id] = Rule(row.id, f"Interaction: {row.name}", HAZARD, row.source, "interactions", present)


for _each in TABLE:
    _row(_each)


@rule(
    "R-IX-16",
    "interactions",
    "Other nasal spray with nasal esketamine",
    hazard="H-07 another medicine makes the dose dangerous",
    source="Touchstone; LA DMH (read)",
)
def nasal_spray(f: MedicineFacts, s: Settings) -> Iterator[Say]:
    if f.route == "intranasal":
        for medicine in f.medicines:
            if _words(medicine) & set(NASAL.split()):
                yield amber(
                    f"{medicine}: at least {s.nasal_spray_hours:g} h before the nasal dose; asked again on the day.",
                    Clearance.PRESCRIBER,
                    medicine=medicine,
                    limit_h=s.nasal_spray_hours,
                )


@rule("R-IX-17", "interactions", "Medicine not in the table", hazard=HAZARD, source="assumed: unknown is not safe")
def unknown(f: MedicineFacts, s: Settings) -> Iterator[Say]:
    known = set((NASAL + " " + QUIET).split())
    for medicine in f.medicines:
        if not classes_of(medicine) and not _words(medicine) & known:
            yield amber(f"{medicine} is not in the interaction table: check it by hand.", medicine=medicine)


def interactions(facts: MedicineFacts, settings: Settings) -> tuple[Finding, ...]:
    """Every interaction between the medicines and the planned drug, loudest first."""
    return judge("interactions", facts, settings)
