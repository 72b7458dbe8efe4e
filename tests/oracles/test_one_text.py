"""One model text, everything derived: one edited equation changes the kernels, the reference, the exports, the page."""

import re
from collections.abc import Mapping

import numpy as np
import pytest

from regrow import mechanism
from regrow.engine import c_printer, solve
from regrow.engine.kernel import Shape
from regrow.engine.sections import needed_items
from regrow.exchange import sbml
from regrow.exchange.unrolled import unroll
from regrow.order import Order, read
from regrow.page import equations

PROTEINS, EDITED = "P' = k_P * M - P / tau_P;", "P' = k_P * (M + T) - P / tau_P;"
PRINTERS = ("numpy", "llvm", "c")
HOURS = (1.0, 4.0)


def derived() -> dict[str, object]:
    """Everything that the model text gives for one infusion and the proteins that it makes."""
    (one,) = unroll(*read(Order("single", until="2 d")))
    functions = one.model.symbolic().functions(("P",))
    x = np.linspace(0.1, 0.9, len(one.model.states))
    shape = Shape(("P",), (), needed_items(one.model.program, ("P",)), ("central_S", "central_R"), (), 2)
    found: dict[str, object] = {
        f"the kernel by {printer}": solve(
            one.model, one.values, one.events, HOURS, ("P",), whole=False, printer=printer
        ).values.ravel()
        for printer in PRINTERS
    }
    return found | {
        "the reference right-hand side": functions.rate(0.0, x, one.values)[one.model.states.index("P")],
        "the SBML": _rule(sbml.to_sbml(one), "P"),
        "the C text": c_printer.printed(one.model, shape)[1],
        "the page in HTML": _near(equations.page(form="html"), 'aria-label="dP/dt"'),
        "the page in Markdown": _near(equations.page(), "dP/dt ="),
    }


def _rule(text: str, name: str) -> str:
    found = re.search(rf'<rateRule[^>]*variable="{name}".*?</rateRule>', text, re.DOTALL)
    assert found
    return found[0]


def _near(text: str, mark: str) -> str:
    start = text.index(mark)
    return text[start : text.index("\n", start)]


@pytest.fixture(scope="module")
def as_shipped() -> Mapping[str, object]:
    return derived()


@pytest.fixture(scope="module")
def as_edited() -> Mapping[str, object]:
    shipped = mechanism.parts
    with pytest.MonkeyPatch.context() as patch:

        def edited(structure: str | None = None, *, modules: tuple[str, ...] = mechanism.CORE) -> dict[str, str]:
            found = shipped(structure, modules=modules)
            if "plasticity" in found:
                assert PROTEINS in found["plasticity"]
                found["plasticity"] = found["plasticity"].replace(PROTEINS, EDITED)
            return found

        patch.setattr(mechanism, "parts", edited)
        return derived()


@pytest.mark.xdist_group("one text")
def test_an_edited_equation_changes_everything_that_is_derived_from_the_text(
    as_shipped: Mapping[str, object], as_edited: Mapping[str, object]
) -> None:
    same = [name for name in as_shipped if np.array_equal(as_shipped[name], as_edited[name])]
    assert same == []


@pytest.mark.xdist_group("one text")
def test_every_kernel_makes_the_same_of_the_edited_equation(
    as_shipped: Mapping[str, object], as_edited: Mapping[str, object]
) -> None:
    for printer in PRINTERS:
        name = f"the kernel by {printer}"
        assert as_edited[name] == pytest.approx(as_edited["the kernel by numpy"], rel=1e-11)
        assert (np.asarray(as_edited[name]) > 1.2 * np.asarray(as_shipped[name])).all()
