"""What makes the design of a study invalid, or weak."""

from collections import Counter
from collections.abc import Iterator

from pneumoscope.reader_study.definition import WASHOUT_DAYS, Definition
from pneumoscope.reader_study.fault import Fault
from pneumoscope.reader_study.pixel_check import burned_in_faults
from pneumoscope.reader_study.protocol import Protocol
from pneumoscope.reader_study.squares import latin, williams
from pneumoscope.reader_study.worklist import worklists

_ENOUGH_RATINGS = 5


def check_definition(definition: Definition) -> tuple[Fault, ...]:
    """Check what the study file alone shows.

    Parameters
    ----------
    definition : Definition
        The study file.

    Returns
    -------
    tuple of Fault
        Errors and warnings; empty for a design without a known fault.
    """
    wrong = (*_names(definition), *_arms(definition), *_groups(definition), *_analysis(definition))
    weak = (*_readers(definition), *_washout(definition), *_ratings(definition))
    return (*(Fault("error", sentence) for sentence in wrong), *(Fault("warning", sentence) for sentence in weak))


def _names(definition: Definition) -> Iterator[str]:
    items = [item.name for item in definition.questions.items]
    for what, names in (
        ("readers", [reader.name for reader in definition.readers]),
        ("arms", [arm.name for arm in definition.arms]),
        ("items", items),
    ):
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            yield f"two {what} have the name '{twice[0]}'; give each its own"
    if not definition.readers:
        yield "there is no reader; name at least one in [[readers]]"


def _arms(definition: Definition) -> Iterator[str]:
    aided = [arm.aid is not None for arm in definition.arms]
    if not definition.arms:
        yield "there is no arm; name at least one in [[arms]]"
    elif definition.mode == "sequential" and (aided[0] or not all(aided[1:]) or len(aided) < 2):
        yield "a sequential study has an unaided arm first and then one or more aided arms"
    elif definition.mode in ("independent", "crossover", "split-plot") and len(aided) < 2:
        yield f"a study of mode {definition.mode} compares at least two arms"


def _groups(definition: Definition) -> Iterator[str]:
    groups = Counter(reader.group for reader in definition.readers)
    if definition.mode == "split-plot" and ("" in groups or len(groups) < 2):
        yield "a split-plot study needs the group of each reader, and at least two groups"
    if definition.mode != "split-plot" and set(groups) - {""}:
        yield "readers have groups, which only a split-plot study has"


def _analysis(definition: Definition) -> Iterator[str]:
    plan, arms = definition.analysis, {arm.name for arm in definition.arms}
    if missing := {plan.first, plan.second} - arms:
        yield f"the analysis compares the arm '{min(missing)}', which the study does not have"
    elif plan.first == plan.second:
        yield "the analysis compares an arm with itself"
    if (plan.hypothesis in ("non-inferiority", "equivalence")) != (plan.margin > 0):
        yield f"{plan.hypothesis} with a margin of {plan.margin:g}; only non-inferiority and equivalence have one, above 0"
    if plan.figure in ("sensitivity", "specificity") and plan.threshold is None:
        yield f"the figure of merit {plan.figure} needs the threshold of the rating"
    of_marks = plan.figure in ("wAFROC", "AFROC", "HrAuc")
    if of_marks and (definition.questions.marks is None or not definition.cases.regions):
        yield f"the figure of merit {plan.figure} needs marks in [questions] and reference regions in [cases]"
    if plan.population != "cases" and len(definition.readers) < 2:
        yield "one reader: how readers vary cannot be estimated; name more readers or set the population to 'cases'"


def _readers(definition: Definition) -> Iterator[str]:
    groups = Counter(reader.group for reader in definition.readers)
    square = {"concurrent": latin, "crossover": williams, "split-plot": williams}.get(definition.mode)
    rows = len(square(max(1, len(definition.arms)))) if square else 1
    if any(count % rows for count in groups.values()):
        yield f"the order of arms is balanced only for a multiple of {rows} readers{' a group' if len(groups) > 1 else ''}"
    if len(set(groups.values())) > 1:
        yield "the groups of readers differ in size"
    if definition.mode == "independent":
        yield "every reader reads the arms in the same order, so that learning and aid are confounded; crossover balances them"
    if definition.mode == "concurrent" and len(definition.arms) > 1:
        yield "no reader reads a case in both arms, so that the comparison is not paired by case within readers"
    if definition.mode == "sequential":
        yield "the aided answer always follows the unaided one to the same case; the aid is measured as a second look"


def _washout(definition: Definition) -> Iterator[str]:
    several = definition.mode in ("independent", "crossover", "split-plot")
    if several and definition.washout_days < WASHOUT_DAYS:
        yield f"a washout of {definition.washout_days:g} days; {WASHOUT_DAYS} are usual, so that cases are not remembered"


def _ratings(definition: Definition) -> Iterator[str]:
    if (values := definition.questions.rating.values) < _ENOUGH_RATINGS:
        yield f"a rating scale of {values} ratings gives a coarse ROC curve; {_ENOUGH_RATINGS} or more are usual"


def check_protocol(protocol: Protocol) -> tuple[Fault, ...]:
    """Check what the cases and the worklists show.

    Parameters
    ----------
    protocol : Protocol
        The assembled study.

    Returns
    -------
    tuple of Fault
        Errors and warnings.
    """
    wrong = (*_classes(protocol), *_practice(protocol), *_orders(protocol), *_lesions(protocol))
    design = (
        *(Fault("error", sentence) for sentence in wrong),
        *(Fault("warning", sentence) for sentence in _patients(protocol)),
    )
    return (*design, *burned_in_faults(protocol))


def _classes(protocol: Protocol) -> Iterator[str]:
    diseased = sum(case.diseased for case in protocol.read_cases)
    healthy = len(protocol.read_cases) - diseased
    needed = 2
    if protocol.definition.mode == "split-plot":
        needed *= len({reader.group for reader in protocol.definition.readers})
    if min(diseased, healthy) < needed:
        yield f"{diseased} cases with and {healthy} without {protocol.definition.target}; at least {needed} of each are needed"


def _practice(protocol: Protocol) -> Iterator[str]:
    trained = {case.patient for case in protocol.cases if case.training}
    if shared := trained & {case.patient for case in protocol.read_cases}:
        yield f"{len(shared)} patients have cases for practice and cases of the study; choose other cases for practice"


def _orders(protocol: Protocol) -> Iterator[str]:
    orders = []
    for tasks in worklists(protocol).values():
        for session in {task.session for task in tasks}:
            orders.append(tuple(task.case for task in tasks if task.session == session and not task.training))
    if len(set(orders)) < len(orders):
        yield "two sessions have the same order of cases, because there are so few; take more cases or another seed"


def _lesions(protocol: Protocol) -> Iterator[str]:
    if not protocol.definition.cases.regions:
        return
    without = sum(case.diseased and not case.lesions for case in protocol.read_cases)
    within = sum(bool(case.lesions) and not case.diseased for case in protocol.read_cases)
    if without or within:
        target = protocol.definition.target
        yield f"{without} cases with {target} have no reference region, and {within} cases without it have one"


def _patients(protocol: Protocol) -> Iterator[str]:
    patients = Counter(case.patient for case in protocol.read_cases)
    if several := sum(count > 1 for count in patients.values()):
        yield f"{several} patients have several cases, which the analysis takes as independent; set one_per_patient = true"
