"""The pages that create a tuning job: a form, filled in anew or from another job, and a job file to paste.

Both check as `alfine check` does before anything is recorded, and create as `alfine create` does. They start nothing that a request of the
owner of a key couldn't: the files that a job may name, and where it runs, are decided below (docs/explanation/security.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.core import cost
from alfine.core.axis import SCALINGS
from alfine.core.errors import AlfineError, Fault, InUse, InvalidSpec
from alfine.core.fields import FIELDS
from alfine.core.range_words import scaling_of
from alfine.core.spec import CONFIG, DEFINITION, EARLY_STOPPING_TYPES, FUNCTION, GOALS, describe_ranges, strategies
from alfine.core.wording import duration, money
from alfine.jobs.analysis.next_job import next_name, next_request
from alfine.server.console.job_files import CheckedJob
from alfine.server.console.job_form import (
    FIRST_ROWS,
    KINDS,
    MOST_ROWS,
    OF_ROW,
    JobForm,
    document_of,
    form_of,
    place,
    several_of,
    submitted,
)
from alfine.server.console.page_request import PageRequest
from alfine.store.names import check_tuning_job_name

REMOVE = re.compile(r"remove-([0-9]{1,3})")
"""The value of the button that removes a row."""

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
    form = form_of({}, request.backend.job_files.yaml)
    form.rows = [_empty()] * FIRST_ROWS
    return _page(request, form)


def send(request: PageRequest) -> Response:
    """Add or remove a row, check the job, or create it, as the pressed button says."""
    form, wanted = submitted(request.form), request.form.get("do", "check")
    if wanted == "add":
        form.rows = [*form.rows, _empty()][:MOST_ROWS]
        return _page(request, form)
    if wanted in ("file", "definitions"):
        return _as_file(request, form, several=wanted == "definitions")
    if removed := REMOVE.fullmatch(wanted):
        form.rows = [row for number, row in enumerate(form.rows) if number != int(removed[1])]
        return _page(request, form)
    files = request.backend.job_files
    document = document_of(form, files.read)
    checked = None if form.faults else files.check(document)
    if checked is not None:
        place(form, checked.faults)
        if wanted == "create" and not form.faults and _may_be_created(request, checked):
            created = _create(request, checked)
            if isinstance(created, Response):
                return created
            place(form, created)
    return _page(request, form, checked, text="" if form.faults else files.yaml(document))


def _as_file(request: PageRequest, form: JobForm, *, several: bool) -> Response:
    """Render the page of a job file with what the form has, as one algorithm or as the first of several."""
    files = request.backend.job_files
    document = document_of(form, files.read)
    if form.faults:
        return _page(request, form)
    return _file_page(request, files.yaml(several_of(document) if several else document))


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
    return _page(request, form_of(document, files.yaml), like=name, remarks=remarks)


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
        422 if form.faults else 200,
        form=form,
        checked=None if form.faults else checked,
        facts={} if form.faults else _facts(checked),
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
        message = "can't be said in the form, which has one program and the settings of a job file. Create it here."
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
