"""The pages that create a tuning job: a form, filled in anew or from another job, and a job file to paste.

Both check as `alfine check` does before anything is recorded, and create as `alfine create` does. They start nothing that a request of the
owner of a key couldn't: the files that a job may name, and where it runs, are decided below (docs/explanation/security.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.core import cost
from alfine.core.axis import SCALINGS
from alfine.core.errors import AlfineError, Fault, InUse, InvalidSpec
from alfine.core.fields import FIELDS
from alfine.core.range_words import scaling_of
from alfine.core.settings import TAG_PREFIX
from alfine.core.spec import CONFIG, DEFINITION, EARLY_STOPPING_TYPES, FUNCTION, GOALS, describe_ranges, strategies
from alfine.core.wording import duration, money
from alfine.jobs.analysis.next_job import next_name, next_request
from alfine.server.console.job_files import CheckedJob, JobFiles
from alfine.server.console.job_form import (
    FIRST_ROWS,
    KINDS,
    MOST_DEFINITIONS,
    MOST_ROWS,
    OF_ROW,
    JobForm,
    document_of,
    form_of,
    place,
    split,
    submitted,
)
from alfine.server.console.page_request import PageRequest
from alfine.store.names import check_tuning_job_name

ROWS_CHANGE = re.compile(r"(d[0-9]-)?(?:add|remove-([0-9]{1,3}))")
"""The values of the buttons that add and remove a row, of the job or of a definition."""

DEFINITIONS_CHANGE = re.compile(r"add-definition|remove-definition-([0-9])")
"""The values of the buttons that add and remove a definition."""

LONGEST_FILE = 1_000_000
"""Characters of a pasted job file that are read."""

NAME = "HyperParameterTuningJobName"
NAME_OR_CONFIG = {NAME, CONFIG}
"""A document with one of these is a request, not a job file."""


# -- the form ------------------------------------------------------------------------------------------------------------


def page(request: PageRequest) -> Response:
    """Render the form. Query: `clone`, a tuning job to begin with; `propose`, one whose search space is to be made better."""
    for key in ("clone", "propose"):
        if name := request.query.get(key):
            return _of_job(request, name, propose=key == "propose")
    return _page(request, _first(request.backend.job_files))


def send(request: PageRequest) -> Response:
    """Change the form, check the job, or create it, as the pressed button says."""
    form, wanted = submitted(request.form), request.form.get("do", "check")
    files = request.backend.job_files
    if (changed := _changed(form, wanted, files)) is not None:
        return _page(request, changed)
    document = document_of(form, files.read)
    if wanted == "file" and not form.is_faulty:
        return _file_page(request, files.yaml(document))
    checked = None if form.is_faulty or wanted == "file" else files.check(document)
    if checked is not None:
        place(form, checked.faults)
        if wanted == "create" and not form.is_faulty and _may_be_created(request, checked):
            created = _create(request, checked)
            if isinstance(created, Response):
                return created
            place(form, created)
    return _page(request, form, checked, text="" if form.is_faulty else files.yaml(document))


def _changed(form: JobForm, wanted: str, files: JobFiles) -> JobForm | None:
    """Return the form with more or fewer rows or definitions, where the pressed button asks for it."""
    if change := ROWS_CHANGE.fullmatch(wanted):
        for part in form.forms:
            if part.prefix == (change[1] or ""):
                part.rows = [row for number, row in enumerate(part.rows) if str(number) != change[2]]
                part.rows += [_empty()] if change[2] is None and len(part.rows) < MOST_ROWS else []
        return form
    if change := DEFINITIONS_CHANGE.fullmatch(wanted):
        kept = [part for number, part in enumerate(form.definitions) if str(number) != change[1]]
        return form.with_definitions(kept if change[1] else [*kept, _first(files)])
    if wanted != "definitions":
        return None
    try:
        return split(form, files.read, files.yaml)
    except InvalidSpec as error:
        for fault in error.faults:
            form.add("more", str(fault))
        return form


def _of_job(request: PageRequest, name: str, *, propose: bool) -> Response:
    """Render the form for a job like another one, or with the search space that its results propose."""
    files, job = request.backend.job_files, request.service.get(name)
    asked: dict[str, Any] = {**job.request, NAME: _free(request, name)}
    remarks: Sequence[str] = ()
    if propose:
        found = request.service.space_remarks(name)
        remarks = [remark.sentence for remark in found] or ["No problem of its search space was found."]
        try:
            asked = next_request(job.request, request.service.history(name), found, asked[NAME])
        except InvalidSpec as error:
            remarks = [*remarks, *(fault.message for fault in error.faults)]
    if _is_function(asked):
        raise InvalidSpec(
            [
                Fault(
                    name,
                    "tunes a Python function, which only a Python program can run: its Configuration has the code.",
                )
            ]
        )
    document = files.document_of(asked)
    if document is None:
        return _file_page(request, json.dumps(asked, indent=2, ensure_ascii=False), like=name, remarks=remarks)
    return _page(request, form_of(document, files.yaml), like=name, remarks=[*remarks, *_kept(document), *_tags(asked)])


def _kept(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a job's request has that no field of the form stands for, in a sentence for each definition."""
    for name, part in document.get("definitions", {"": document}).items():
        if members := part.get("aws"):
            whose = f"Of {name}, the" if name else "The"
            yield f"{whose} form has no field for {', '.join(_paths(members))}: `aws`, among the other keys, keeps what the request said."


def _paths(members: Mapping[str, Any], path: str = "TrainingJobDefinition") -> Iterator[str]:
    """Yield the members of a definition, those inside of others where some of these have fields."""
    for name, value in members.items():
        if isinstance(value, Mapping) and any(str(field.path).startswith(f"{path}.{name}.") for field in FIELDS):
            yield from (f"{name}.{inner}" for inner in value)
        else:
            yield name


def _tags(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield that tags of people stay behind."""
    names = [tag["Key"] for tag in asked.get("Tags", ()) if not tag["Key"].startswith(TAG_PREFIX)]
    if names:
        yield f"Its tags aren't copied: {', '.join(names)}."


def _is_function(asked: Mapping[str, Any]) -> bool:
    return FUNCTION in ((asked.get(DEFINITION) or {}).get("StaticHyperParameters") or {})


def _free(request: PageRequest, name: str) -> str:
    """Return a name like another job's that no job has."""
    with request.service.store.reading() as connection:
        while True:
            name = next_name(name)
            try:
                check_tuning_job_name(connection, name)
            except InUse:
                continue
            return name


def _first(files: JobFiles) -> JobForm:
    """Return the form that nobody has filled in."""
    form = form_of({}, files.yaml)
    form.rows = [_empty()] * FIRST_ROWS
    return form


def _empty() -> dict[str, str]:
    return {**dict.fromkeys(OF_ROW, ""), "kind": "continuous", "scaling": "Auto"}


def _page(
    request: PageRequest,
    form: JobForm,
    checked: CheckedJob | None = None,
    *,
    text: str = "",
    like: str = "",
    remarks: Sequence[str] = (),
) -> Response:
    return request.render(
        "new_job.html",
        422 if form.is_faulty else 200,
        form=form,
        checked=None if form.is_faulty else checked,
        facts={} if form.is_faulty else _facts(checked),
        yaml=text,
        like=like,
        remarks=remarks,
        labels={field.word: field.label for field in FIELDS},
        goals=GOALS,
        strategies=strategies(),
        early_stopping=EARLY_STOPPING_TYPES,
        scalings=SCALINGS,
        kinds=KINDS,
        most_rows=MOST_ROWS,
        most_definitions=MOST_DEFINITIONS,
        **_places(request),
    )


# -- a job file ----------------------------------------------------------------------------------------------------------


def file_page(request: PageRequest) -> Response:
    """Render the page to paste a job file into."""
    return _file_page(request, "")


def send_file(request: PageRequest) -> Response:
    """Check a pasted job file, create its job, or fill in the form with it, as the pressed button says."""
    text, wanted = request.form.get("text", "")[:LONGEST_FILE], request.form.get("do", "check")
    files = request.backend.job_files
    try:
        document = files.read(text)
        if wanted == "form" and not NAME_OR_CONFIG & {*document} and "definitions" not in document:
            return _page(request, form_of(document, files.yaml))
    except InvalidSpec as error:
        return _file_page(request, text, faults=error.faults)
    checked = files.check(document)
    if wanted == "form" and not checked.faults and checked.request is not None:
        own = files.document_of(checked.request)
        if own is not None:
            return _page(request, form_of(own, files.yaml))
        message = "has something that no field of the form stands for, such as Autotune. Create it here."
        return _file_page(request, text, faults=[Fault("This job", message)])
    if wanted == "create" and not checked.faults and _may_be_created(request, checked):
        created = _create(request, checked)
        return created if isinstance(created, Response) else _file_page(request, text, faults=created)
    return _file_page(request, text, checked=checked, faults=checked.faults)


def _file_page(
    request: PageRequest,
    text: str,
    *,
    checked: CheckedJob | None = None,
    faults: Sequence[Fault] = (),
    like: str = "",
    remarks: Sequence[str] = (),
) -> Response:
    return request.render(
        "new_job_file.html",
        422 if faults else 200,
        text=text,
        checked=None if faults else checked,
        facts={} if faults else _facts(checked),
        faults=[str(fault) for fault in faults],
        like=like,
        remarks=remarks,
        **_places(request),
    )


# -- of both -------------------------------------------------------------------------------------------------------------


def _places(request: PageRequest) -> dict[str, Any]:
    """Return where scripts may lie."""
    buckets = request.service.machine.buckets
    return {"folder": request.backend.job_files.folder, "roots": list(map(str, buckets.roots if buckets else ()))}


def _may_be_created(request: PageRequest, checked: CheckedJob) -> bool:
    """Return whether nothing was found that would waste the whole job, or its user has seen that and creates it all the same."""
    return bool(request.form.get("anyway")) or not any(remark.fatal for remark in checked.remarks)


def _create(request: PageRequest, checked: CheckedJob) -> Response | Sequence[Fault]:
    """Create the job and lead to its page, or return why it can't be created."""
    try:
        job = request.service.create(checked.request or {})
    except InUse as error:
        return [Fault("name", str(error))]
    except InvalidSpec as error:
        return [checked.spelled(fault) for fault in error.faults]
    except AlfineError as error:
        return [Fault("", str(error))]
    request.backend.changed()
    request.backend.run(job.name)
    return RedirectResponse(f"/console/tuning-jobs/{job.name}", 303)


def _facts(checked: CheckedJob | None) -> dict[str, str]:
    """Return what a checked job would take, by label."""
    if checked is None or checked.spec is None:
        return {}
    spec = checked.spec
    bound = cost.bound(spec)
    money_text = "" if bound is None or bound.money is None else f", cost {money(bound.money)}"
    return {
        "Training jobs at most": str(spec.most_training_jobs),
        "Compute time at most": "not limited" if bound is None else f"{duration(bound.compute_seconds)}{money_text}",
        "Scaling": ", ".join(f"{name} {scaling}" for name, scaling in describe_ranges(spec, scaling_of).items()),
    }
