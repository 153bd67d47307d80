"""The reporting checklist, filled in from what the program knows; what only the authors can know stays blank.

Items after CLAIM 2024 (Tejani et al. 2024, Radiology: Artificial Intelligence 6(4), doi 10.1148/ryai.240300) in words of our own,
each with the nearest items of TRIPOD+AI (Collins et al. 2024, BMJ 385, doi 10.1136/bmj-2023-078378).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope import __version__
from pneumoscope.cohort import SPLITS, Cohort
from pneumoscope.cohort.split import crossing
from pneumoscope.experiment.plan import Plan
from pneumoscope.training.prepared_split import SOURCE_PX

BLANK = "blank: to be filled in by the authors"


@dataclass(frozen=True)
class Item:
    """An item of the checklist.

    Parameters
    ----------
    claim, tripod
        Numbers in CLAIM 2024 and in TRIPOD+AI.
    asks
        What is asked.
    answer
        The answer, or `BLANK`.
    """

    claim: str
    tripod: str
    asks: str
    answer: str = BLANK


def filled(
    plan: Plan,
    cohort: Cohort,
    *,
    metrics: Sequence[str],
    localized: str,
    external: str,
    intervened: int,
    versions: Mapping[str, str],
) -> list[Item]:
    """Fill in the checklist of a comparison.

    Parameters
    ----------
    plan
        Of the experiment.
    cohort
        The split cohort of the first run.
    metrics
        Names of the reported figures.
    localized
        What the heat maps were measured against, in words.
    external
        Another cohort that heat maps were measured on, in words; empty without one.
    intervened
        Number of cases on which pixels were removed by the map.
    versions
        Versions of the libraries by name.

    Returns
    -------
    list[Item]
        All items of CLAIM 2024, and those of TRIPOD+AI that have no counterpart there.
    """
    runs = len(plan.units) // len(plan.backbones)
    uncertainty = "95 % intervals by patient" + (f", standard deviation over {runs} runs" if runs > 1 else "")
    answers = {
        1: "Comparison of deep networks that classify chest radiographs and show where, trained with image-level labels.",
        4: f"{_question(plan)}, at what cost, and whether its heat map can be believed.",
        6: "Comparison of models under the same conditions; a feasibility study, not for clinical use.",
        7: f"Cohort '{cohort.source}': {_counts(cohort)}.",
        9: _preprocessing(plan),
        10: "None by this program: all radiographs of the cohort are used; maps are compared on cases chosen by a hash.",
        12: f"Radiographs left out because they could not be read: {len(cohort.unreadable)}.",
        14: f"The cohort's label; the target is {cohort.target}.",
        19: _partition(plan, cohort),
        20: f"Patient; patients in two parts{' of the first fold' if plan.folds else ''}: {len(crossing(cohort.cases)[0])}.",
        22: f"{', '.join(plan.backbones)} with the head '{plan.recipe.head}'; input {plan.recipe.size_px} px, two classes.",
        23: ", ".join([f"pneumoscope {__version__}", *(f"{name} {version}" for name, version in versions.items())]),
        24: "; ".join(f"{name}: {start}" for name, start in plan.starts.items()),
        25: _training(plan),
        26: "The epoch with the highest ROC-AUC on tune; one recipe for all backbones.",
        27: "Only where the name says so: mean of probabilities or of calibrated log-odds.",
        28: ", ".join(metrics),
        29: f"{uncertainty}; paired tests with the patient as the unit: DeLong with Obuchowski's variance{_over_folds(plan)}, "
        "McNemar exact by patient, bootstrap; Holm's adjustment over all pairs; variance components of patients and training.",
        30: f"{len(plan.seeds)} seed(s), {plan.folds or 'no'} folds; deletion and insertion by the map on {intervened} cases.",
        31: f"Heat map of every reading; {localized}",
        32: "Held-out test side of the same cohort; thresholds and calibration fitted on tune.",
        33: f"Heat maps alone, on another cohort: {external}." if external else BLANK,
        35: _counts(cohort) if plan.folds else _sides(cohort),
        37: "The tables of this report.",
        38: f"The tables of this report, with {uncertainty}.",
        39: "cases.html in the folder of this report: most confident errors and cases nearest to the threshold, by rule.",
        40: "A heat map need not show the disease; research software, not a medical device. Further limits are for the authors.",
        43: "Software Apache-2.0. Of models and data: for the authors.",
    }
    both = [Item(str(claim), tripod, asks, answers.get(claim, BLANK)) for claim, tripod, asks in ASKED]
    return [*both, *(Item("–", tripod, asks) for tripod, asks in TRIPOD_ONLY)]


def _over_folds(plan: Plan) -> str:
    return " within folds, differences as means over folds" if plan.folds else ""


def _question(plan: Plan) -> str:
    if len(plan.backbones) == 1:
        return f"How well does {plan.backbones[0]} classify"
    return f"Which of {len(plan.backbones)} backbones is best"


def _counts(cohort: Cohort) -> str:
    patients = {case.patient_id for case in cohort.cases}
    positive = sum(case.reference for case in cohort.cases)
    return f"{len(cohort.cases):,} radiographs of {len(patients):,} patients, {positive:,} with the target"


def _sides(cohort: Cohort) -> str:
    parts = []
    for split in SPLITS:
        cases = cohort.on(split)
        labels = ", ".join(f"{n:,} {label}" for label, n in sorted(Counter(c.label for c in cases).items()))
        parts.append(f"{split} {len(cases):,} radiographs of {len({c.patient_id for c in cases}):,} patients ({labels})")
    return "; ".join(parts)


def _preprocessing(plan: Plan) -> str:
    side = f"{plan.recipe.size_px} × {plan.recipe.size_px} px, grey in three equal channels"
    if plan.recipe.crop == "lungs" or plan.recipe.adds_up:
        where = "the box around both lungs" if plan.recipe.crop == "lungs" else "all of it"
        return (
            f"The radiograph resized to {SOURCE_PX} px, lungs found in it (model {plan.lungs[:12]}), {where} resized to {side}."
        )
    return f"The whole radiograph resized to {side}."


def _partition(plan: Plan, cohort: Cohort) -> str:
    if plan.folds:
        return f"{plan.folds} folds by patient, stratified by label (split {plan.split_sha256[:12]})."
    assert cohort.partition is not None
    return f"Train, tune and test: {cohort.partition.rule} (split {plan.split_sha256[:12]})."


def _training(plan: Plan) -> str:
    r = plan.recipe
    parts = [f"{r.loss} loss" + (f" (γ {r.gamma:g}, α {r.alpha})" if r.loss == "focal" else "")]
    own = r.options
    weights = {"evidence outside the lungs": own["energy_weight"], "painted opacities": own["painting_weight"]}
    weights |= {"a teacher's map": own["teacher_weight"], "a teacher's probabilities": own["distillation_weight"]}
    parts += [f"{what} (weight {weight:g})" for what, weight in weights.items() if weight]
    parts += [f"label smoothing {r.label_smoothing:g}"] if r.label_smoothing else []
    parts += [f"learns from {plan.teacher}"] if plan.teacher else []
    parts += [f"{r.optimizer}, rate {r.rate:g} ({r.schedule}), batch {r.batch}, {r.epochs} epochs at most"]
    parts += [f"gradients of a norm of {r.clip_norm:g} at most"] if r.clip_norm else []
    parts += [f"exponential average of the weights over {r.ema_share:g} of the steps"] if r.ema_share else []
    mirrored = f" (mirrored with a probability of {r.mirror_probability:g})" if r.mirror_probability else ""
    return "; ".join([*parts, f"augmentation '{r.augmentation}'{mirrored}, sampling {r.sampling}."])


ASKED = (
    (1, "1", "The title or abstract says that this is a study of machine learning, and of which kind"),
    (2, "2", "A structured abstract"),
    (3, "3a–c", "Background, intended use and role of the method"),
    (4, "4", "Aims and hypotheses"),
    (5, "5a", "Prospective or retrospective"),
    (6, "4", "Goal of the study"),
    (7, "5a, 6a", "Sources of the data"),
    (8, "6b", "Who was included and excluded"),
    (9, "7, 9a", "How data were prepared"),
    (10, "7", "How parts of the data were selected"),
    (11, "17", "De-identification"),
    (12, "11", "Missing data"),
    (13, "9b", "How images were acquired"),
    (14, "8a", "Reference standard"),
    (15, "8a", "Why this reference standard"),
    (16, "8b", "Who made the reference, with what qualification"),
    (17, "8b", "How the test set was annotated"),
    (18, "8c", "Variability within and between annotators"),
    (19, "12a", "How data were assigned to partitions"),
    (20, "12a", "At what level partitions are disjoint"),
    (21, "10", "Intended sample size"),
    (22, "12c, 22", "Model: inputs, outputs, layers"),
    (23, "12c", "Software and libraries"),
    (24, "12c", "Initial parameters"),
    (25, "12c, 13", "Training: augmentation, loss, schedule, class imbalance"),
    (26, "12c", "How the final model was selected"),
    (27, "12c", "Ensembles"),
    (28, "12e", "Metrics"),
    (29, "12e", "Uncertainty and tests"),
    (30, "12e", "Robustness"),
    (31, "15", "Explanations"),
    (32, "16", "Evaluation on internal data"),
    (33, "16", "Testing on external data"),
    (34, "18d", "Registration"),
    (35, "20a, 21", "Numbers included, by partition"),
    (36, "20b", "Demographic and clinical characteristics by partition"),
    (37, "23a", "Performance"),
    (38, "23a", "Diagnostic performance and its precision"),
    (39, "23b", "Analysis of failures"),
    (40, "26", "Limits"),
    (41, "25, 27", "Implications for practice"),
    (42, "18c", "Protocol"),
    (43, "18e, 18f", "Availability of software, models and data"),
    (44, "18a, 18b", "Funding and interests"),
)
"""Numbers in CLAIM 2024 and in TRIPOD+AI, and what is asked, in words of our own."""
TRIPOD_ONLY = (
    ("14", "Fairness between groups"),
    ("19", "Involvement of patients and the public"),
    ("24", "Updating of the model"),
)
"""Items of TRIPOD+AI without a counterpart in CLAIM."""
