"""Reporting checklists of a study, with what the program knows filled in; what only the authors can know stays blank.

CLAIM 2024 (Tejani et al. 2024, Radiology: Artificial Intelligence 6(4), doi 10.1148/ryai.240300); STARD-AI (Sounderajah et al.
2025, Nature Medicine), which extends the thirty items of STARD 2015 (Bossuyt et al. 2015, BMJ 351:h5527), by whose numbers its
items are listed here; DECIDE-AI (Vasey et al. 2022, BMJ 377, doi 10.1136/bmj-2022-070904). Items are in words of our own: the
publications hold the wording that counts.
"""

from collections.abc import Mapping

from pneumoscope import DISCLAIMER
from pneumoscope.reader_study.definition import Arm, Definition
from pneumoscope.reader_study.flow import flow
from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.pixel_check import statement
from pneumoscope.reader_study.protocol import Protocol
from pneumoscope.reader_study.room import OVERRIDE
from pneumoscope.reader_study.trail import UNBLINDED
from pneumoscope.statistics.table import Table

_WITHHELD = {
    True: "the server refused the aid until the unaided answer was locked.",
    False: "the server refused the aid of every case but the one that was open in the aided arm.",
}
BLANK = "blank: to be filled in by the authors"
Items = tuple[tuple[str, str, str], ...]
"""Number, what is asked, and the name of the answer that the program knows; empty for none."""

STARD_AI: Items = (
    ("1", "Title: a study of diagnostic accuracy, with a measure of accuracy", ""),
    ("2", "Abstract: design, methods, results, conclusions", ""),
    ("3", "Background: intended use and role of the test", ""),
    ("4", "Objectives and hypotheses", "objective"),
    ("5", "Whether data were collected before or after the test was planned", ""),
    ("6", "Eligibility of participants and of images", "selection"),
    ("7", "How eligible participants were identified", ""),
    ("8", "Where and when", ""),
    ("9", "Consecutive, random or convenience series", "selection"),
    ("10a", "Index test: the readers, the aid and its version, in detail to repeat it", "test"),
    ("10b", "Reference standard", "reference"),
    ("11", "Why this reference standard", ""),
    ("12a", "Positivity thresholds of the index test, fixed before or explored", "threshold"),
    ("12b", "Positivity thresholds of the reference standard", ""),
    ("13a", "What readers of the index test knew", "blinding"),
    ("13b", "What assessors of the reference standard knew", ""),
    ("14", "Methods for estimating and comparing accuracy", "analysis"),
    ("15", "Indeterminate results", ""),
    ("16", "Missing data", "missing"),
    ("17", "Variability, and whether analyses were fixed before", "analysis"),
    ("18", "Intended sample size and how it was determined", "size"),
    ("19", "Flow of participants", "flow"),
    ("20", "Baseline characteristics", ""),
    ("21a", "Severity of disease in those with the target", ""),
    ("21b", "Alternative diagnoses in those without", ""),
    ("22", "Time between index test and reference standard", ""),
    ("23", "Cross tabulation of test and reference", ""),
    ("24", "Accuracy with precision", ""),
    ("25", "Adverse events", ""),
    ("26", "Limitations: bias, uncertainty, generalisability", ""),
    ("27", "Implications for practice", ""),
    ("28", "Registration", ""),
    ("29", "Where the protocol is", "protocol"),
    ("30", "Funding", ""),
    ("AI", "Data: sources, preparation and partition; no patient both in training and test", "partition"),
    ("AI", "Data: de-identification", "deidentification"),
    ("AI", "Human and AI: how readers used the aid, and their training with it", "familiarisation"),
    ("AI", "Bias and fairness across groups of patients", ""),
    ("AI", "Access to code, model and data", ""),
)
DECIDE_AI: Items = (
    ("1", "Title: early clinical evaluation of an AI system, and the problem", ""),
    ("I", "Abstract: structured summary", ""),
    ("2a", "Targeted condition, current practice, intended patients", ""),
    ("2b", "Intended users and place in the care pathway", ""),
    ("II", "Objectives", "objective"),
    ("III", "Protocol, registration, ethics approval", "protocol"),
    ("3a", "Patients: recruitment, criteria, number", "selection"),
    ("3b", "Users: recruitment, criteria, number", "readers"),
    ("3c", "How users were made familiar with the system", "familiarisation"),
    ("4a", "AI system: version, algorithm, training population, earlier performance", "test"),
    ("4b", "Inputs: data, equipment, preprocessing", ""),
    ("4c", "Outputs and how they were shown", "output"),
    ("5a", "Setting of the evaluation", ""),
    ("5b", "Workflow, timing, and who decides in the end", "workflow"),
    ("IV", "Outcomes", "analysis"),
    ("6a", "How errors and malfunctions were recorded", ""),
    ("6b", "Risks to patients and how they were kept low", ""),
    ("7", "Human factors: tools and methods", ""),
    ("V", "Statistical analysis", "analysis"),
    ("8", "Ethics specific to AI", ""),
    ("VI", "Involvement of patients", ""),
    ("9a", "Characteristics of patients", ""),
    ("9b", "Characteristics of users", "readers"),
    ("10a", "Exposure: how much the system was used", "flow"),
    ("10b", "Changes to the planned use or the workflow", "deviations"),
    ("VII", "Main results", ""),
    ("VIII", "Differences between subgroups", ""),
    ("11", "Changes to the system during the study", "changes"),
    ("12", "Agreement of users with the system", ""),
    ("13a", "Errors and malfunctions that were met", ""),
    ("13b", "Risks and harms that were met", ""),
    ("14a", "Usability", ""),
    ("14b", "Learning curves", ""),
    ("15", "Support for the intended use", ""),
    ("16", "Safety: what the results say", ""),
    ("IX", "Strengths and limitations", ""),
    ("17", "Availability of data and code", ""),
    ("X", "Conflicts of interest", ""),
)
CLAIM_2024: Items = (
    ("1", "Title or abstract: a study of AI methodology, with the kind of technology", ""),
    ("2", "Abstract: design, methods, results, conclusions", ""),
    ("3", "Background: intended use and role of the AI approach", ""),
    ("4", "Aims, objectives and hypotheses", "objective"),
    ("5", "Prospective or retrospective", ""),
    ("6", "Goal of the study", "objective"),
    ("7", "Sources of data", ""),
    ("8", "Inclusion and exclusion criteria", "selection"),
    ("9", "Preprocessing of data", ""),
    ("10", "Selection of subsets of data", "selection"),
    ("11", "Methods of de-identification", "deidentification"),
    ("12", "How missing data were handled", "missing"),
    ("13", "Protocol of image acquisition", ""),
    ("14", "Reference standard: how it was obtained", "reference"),
    ("15", "Why this reference standard", ""),
    ("16", "Who annotated the reference standard, with which qualification", ""),
    ("17", "How the test set was annotated", ""),
    ("18", "Variability between and within annotators", ""),
    ("19", "How data were assigned to partitions", "partition"),
    ("20", "Level at which partitions are disjoint", "partition"),
    ("21", "Intended sample size", "size"),
    ("22", "Model: detailed description", "test"),
    ("23", "Software libraries and packages", "software"),
    ("24", "Start values of the model's parameters", ""),
    ("25", "Training: approach, augmentation, hyperparameters", ""),
    ("26", "How the final model was chosen", ""),
    ("27", "Ensembling", ""),
    ("28", "Metrics of performance", "analysis"),
    ("29", "Measures of significance and uncertainty", "analysis"),
    ("30", "Analysis of robustness or sensitivity", ""),
    ("31", "Methods of explanation or interpretation", "output"),
    ("32", "Evaluation on internal data", ""),
    ("33", "Testing on external data", ""),
    ("34", "Registration of the trial", ""),
    ("35", "Numbers of patients or examinations included and excluded", "flow"),
    ("36", "Demographic and clinical characteristics of each partition", ""),
    ("37", "Performance on all partitions with uncertainty", ""),
    ("38", "Estimates of diagnostic performance with precision", ""),
    ("39", "Analysis of cases that were answered wrongly", ""),
    ("40", "Limitations", ""),
    ("41", "Implications for practice", ""),
    ("42", "Where the full protocol is", "protocol"),
    ("43", "Availability of software, model and data", ""),
    ("44", "Funding, and the role of funders", ""),
)


def known_answers(study: OpenStudy) -> dict[str, str]:
    """Collect what the program knows of a study.

    Parameters
    ----------
    study : OpenStudy
        The study.

    Returns
    -------
    dict of str to str
        Answers by the names that the checklists use.
    """
    protocol, events = study.protocol, study.journal
    definition, plan = protocol.definition, protocol.definition.analysis
    counts = flow(study)
    number, head = events.head()
    aids = [arm.aid for arm in definition.arms if arm.aid]
    practice = sum(case.training for case in protocol.cases)
    overridden = len(events.events(OVERRIDE))
    return {
        "objective": f"{definition.title} Target: {definition.target}. Success: {plan.criterion}.",
        "selection": _selection(definition, counts.chosen, counts.diseased, counts.eligible),
        "test": "; ".join(_aid_of(protocol, arm) for arm in definition.arms if arm.aid) or "no aid",
        "reference": f"The reference standard of the cohort '{definition.cases.cohort}', of {definition.target}.",
        "threshold": f"Decision asked: {definition.questions.decision}; rating called positive from: {plan.threshold}.",
        "blinding": "Readers saw pixels only: no identifier, date, report, prevalence, reference standard or other answer; "
        + _WITHHELD[definition.mode == "sequential"],
        "analysis": f"Fixed before the first case: {plan.figure}, {plan.population} random, {plan.hypothesis}, "
        f"margin {plan.margin:g}, α = {plan.alpha:g}.",
        "missing": f"{counts.missing} assigned answers are missing; {sum(counts.excluded.values())} are excluded with a reason.",
        "size": f"{len(definition.readers)} readers, {counts.chosen} cases ({counts.diseased} with the target).",
        "flow": "; ".join(line.strip() for line in counts.lines()),
        "protocol": f"Frozen {events.events('frozen')[0].at[:10]}, SHA-256 {events.events('frozen')[0].body['protocol_sha256']}; "
        f"journal of {number} events, last hash {head}.",
        "readers": "; ".join(f"{reader.name}: {reader.role}, {reader.years:g} years" for reader in definition.readers),
        "familiarisation": f"{practice} cases for practice with feedback before each session.",
        "output": "; ".join(f"overlays of {aid.source}; their opacity on the screen is in the trail" for aid in aids) or "no aid",
        "workflow": f"Mode {definition.mode}, washout {definition.washout_days:g} days; the reader decides.",
        "deviations": f"{overridden} washouts overridden; {len(events.events(UNBLINDED))} unblindings before completion.",
        "deidentification": "Pictures are decoded and written again: no header, name or date of a file is sent to a reader. "
        + statement(protocol),
        "partition": f"Cases of the split '{definition.cases.split}' of the cohort{_one_each(definition)}.",
        "software": f"Pneumoscope {protocol.program} froze the protocol and served the study.",
        "changes": "None possible: every overlay is verified against its hash in the frozen protocol before it is shown.",
    }  # fmt: skip


def _aid_of(protocol: Protocol, arm: Arm) -> str:
    """The aid of an arm with the bundles and operating points that made its overlays."""
    assert arm.aid
    files = [one for one in protocol.aids if one.arm == arm.name]
    bundles = sorted({one.bundle_sha256 or arm.aid.bundle_sha256 for one in files} - {""})
    thresholds = {one.threshold if one.bundle_sha256 else arm.aid.threshold for one in files}
    points = sorted(point for point in thresholds if point is not None)
    made = f"bundle {', '.join(name[:12] for name in bundles)}" if bundles else "no model bundle stated"
    return f"{arm.aid.source}, {made}" + (f", threshold {', '.join(f'{point:g}' for point in points)}" if points else "")


def _selection(definition: Definition, chosen: int, diseased: int, eligible: int) -> str:
    rule = _one_each(definition)
    return f"{chosen} of {eligible} cases of the split '{definition.cases.split}'{rule}; {diseased} with {definition.target}."


def _one_each(definition: Definition) -> str:
    return ", one radiograph a patient, chosen by the hash of the image" if definition.cases.one_per_patient else ""


def _table(items: Items, answers: Mapping[str, str]) -> Table:
    return Table.of(["item", "asks", "answer"], [(number, asks, answers.get(known, BLANK)) for number, asks, known in items])


def as_markdown(study: OpenStudy) -> str:
    """Write the three checklists.

    Parameters
    ----------
    study : OpenStudy
        The study.

    Returns
    -------
    str
        Markdown.
    """
    answers = known_answers(study)
    named = {"STARD-AI (by the items of STARD 2015)": STARD_AI, "DECIDE-AI": DECIDE_AI, "CLAIM 2024": CLAIM_2024}
    parts = [f"## {name}\n\n{_table(items, answers).markdown()}" for name, items in named.items()]
    return "\n".join([f"# Checklists of '{study.protocol.definition.title}'\n\n{DISCLAIMER}\n", *parts])
