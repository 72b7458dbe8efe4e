"""An SBML file run by libroadrunner, another SBML simulator, as the oracle of exports."""

import numpy as np
import roadrunner


def course(sbml: str, outputs: tuple[str, ...], times: np.ndarray, *, tolerance: float = 1e-8) -> np.ndarray:
    """The outputs (outputs, times) at `times` (h), by CVODE at a relative `tolerance`.

    The absolute tolerance is given one by one for each state: a single number would be scaled by libroadrunner with
    what each state holds at an event, and states that had decayed to 1e-70 would then never be close enough.
    """
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    runner = roadrunner.RoadRunner(sbml)
    states = len(runner.integrator.getAbsoluteToleranceVector())
    runner.integrator.setValue("relative_tolerance", tolerance)
    runner.integrator.setValue("absolute_tolerance", [1e-2 * tolerance] * states)
    runner.integrator.setValue("maximum_num_steps", 100_000)
    runner.timeCourseSelections = ["time", *outputs]
    found = np.array(runner.simulate(times=[float(t) for t in times])).T
    assert np.allclose(found[0], times)
    return found[1:]
