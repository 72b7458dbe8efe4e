"""A whole course as one C file: the kernel, this course's numbers, and a `main` that prints the outputs as CSV.

The one thing to know: the C program does the arithmetic, all of it; what stands in the file as numbers is what the
engine prepares for any kernel (constants, grid, actions). Between two stretches with different parameters the state
memory is carried over by a matrix, because modes and states are linear in each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from regrow.engine import plan
from regrow.engine.c_printer import printed
from regrow.engine.events import Event, Infusion, check
from regrow.engine.grid import FINE
from regrow.engine.kernel import INTEGERS, NUMBERS, POINTERS, Call, Shape
from regrow.engine.model import Model
from regrow.engine.sections import Layout
from regrow.refusal import Refusal

Carry = tuple[np.ndarray, np.ndarray]  # (matrix, offset) that make a stretch's state memory from the one before


def program(
    model: Model,
    parameters: Mapping[str, float],
    events: Sequence[Event],
    times: Sequence[float] | np.ndarray,
    outputs: Sequence[str],
) -> str:
    """The C text of one person's course: run, it prints a header line, then time and outputs at each of `times` (h).

    Refuses with MODEL-UNSUPPORTED a model that the kernel's scheme cannot take.
    """
    if model.general is not None:
        sentence = f"model: {model.general}, so there is no kernel of it; export sbml instead"
        raise Refusal("MODEL-UNSUPPORTED", sentence, field="model")
    due = check(events, model, 1, 0.0)
    clock = np.asarray(times, float)
    infused = tuple(sorted({e.state for e in due if isinstance(e, Infusion)}))
    idle = plan.idle_states(model.program, due, None)
    used = tuple(k for k, item in enumerate(model.program.items) if item["states"][0] not in idle)
    shape = Shape(tuple(outputs), (), used, infused, idle, FINE.sweeps)
    layout, source = printed(model, shape)
    stretches = _stretches(model, layout, idle, parameters, due, clock)
    parts = [
        source,
        "#include <stdio.h>",
        "",
        f"enum {{ N_STATE = {len(layout.slot)}, N_OUT = {len(outputs)} }};",
        "static double state[N_STATE];",
        "",
        *(_stretch(k, call, carry, layout) for k, (call, carry) in enumerate(stretches)),
        "int main(void)",
        "{",
        f'    printf("time,{",".join(outputs)}\\n");',
        *(f"    stretch{k}();" for k in range(len(stretches))),
        "    return 0;",
        "}",
        "",
    ]
    return "\n".join(parts)


def _stretches(
    model: Model,
    layout: Layout,
    idle: tuple[str, ...],
    parameters: Mapping[str, float],
    due: Sequence[Event],
    clock: np.ndarray,
) -> list[tuple[Call, Carry]]:
    """For each epoch of the course what the kernel is called with, and how its state memory begins."""
    program = model.program
    start = plan.Evaluator(program, {**parameters, "time": 0.0}, 1)
    x = np.array([start(program.initial[s]) for s in program.states])
    size = len(layout.slot)
    found: list[tuple[Call, Carry]] = []
    before: plan.Actions | None = None
    for epoch in plan.epochs(program, due, 0.0, float(clock[-1])):
        names = dict(parameters) | {change.parameter: float(change.value) for change in epoch.changes}
        blocks = plan.Blocks.of(program, plan.Evaluator(program, names, 1), layout.needed)
        actions = plan.Actions(program, layout, blocks, epoch)

        def begin(memory: np.ndarray, actions=actions, before=before, epoch=epoch) -> np.ndarray:
            states = x if before is None else before.end(memory[:, None], idle)
            return actions.start(plan.leap(states, epoch.jumps, program.states))[:, 0]

        offset = begin(np.zeros(size))
        matrix = np.array([begin(unit) - offset for unit in np.eye(size)]).T
        hours = plan.clock(epoch, clock, (), FINE)
        call = Call(
            blocks.constants(program, layout), np.zeros((size, 1)), *actions.table(hours.grid), hours.grid, hours.outs,
            hours.marks, hours.window, 0, np.empty(0),
        )  # fmt: skip
        found.append((call, (matrix, offset)))
        before = actions
    return found


def _stretch(number: int, call: Call, carry: Carry, layout: Layout) -> str:
    """The C function of one stretch: its numbers, the state memory carried over, the kernel, the printing."""
    times = call.outs.time
    given = {name: values for name, values in call.arrays().items() if name != "state"}
    sizes = call.sizes(layout) | {"first": 0, "last": 1}
    made = {
        "table": sizes["n_lengths"] * sizes["n_table"],
        "span_table": sizes["n_spans"] * sizes["n_span_table"],
        "out": sizes["n_outs"],
        "peak": 1,
    }
    matrix, offset = carry
    lines = [f"static void stretch{number}(void)", "{"]
    lines += [f"    static double {name}[{max(1, size)}];" for name, size in made.items()]
    lines += [_array(name, values, whole=name in INTEGERS) for name, values in given.items()]
    lines += [_array("matrix", matrix), _array("offset", offset), "    double next[N_STATE];"]
    lines += [
        "    for (int row = 0; row < N_STATE; row++) {",
        "        next[row] = offset[row];",
        "        for (int k = 0; k < N_STATE; k++) next[row] += matrix[row * N_STATE + k] * state[k];",
        "    }",
        "    for (int row = 0; row < N_STATE; row++) state[row] = next[row];",
        f"    kernel({', '.join('constants' if name == 'const' else name for name in POINTERS)}, "
        f"{', '.join(str(sizes[name]) for name in NUMBERS)});",
        f"    for (int t = 0; t < {len(times)}; t++) {{",
        '        printf("%.17g", out_time[t]);',
        '        for (int k = 0; k < N_OUT; k++) printf(",%.17g", out[t * N_OUT + k]);',
        '        printf("\\n");',
        "    }",
        "}",
        "",
    ]
    return "\n".join(lines)


def _array(name: str, values: np.ndarray, *, whole: bool = False) -> str:
    flat = np.ravel(values)
    shown = [str(int(v)) if whole else repr(float(v)) for v in flat] or ["0"]
    kind = "int64_t" if whole else "double"
    return f"    static const {kind} {'constants' if name == 'const' else name}[] = {{{', '.join(shown)}}};"
