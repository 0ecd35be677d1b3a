"""The pages of the console, by their paths: what is read, what a form sends, and what tells a page of changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alfine.server.console import (
    analysis,
    artifacts,
    change_form,
    configuration,
    downloads,
    events,
    figures,
    history,
    logs,
    new_job,
    notes,
    replay,
    training_job,
    training_jobs,
    tuning_job,
    tuning_jobs,
)
from alfine.server.console.page_request import Page, PageRequest

GET: Mapping[str, Page] = {
    "/": tuning_jobs.page,
    "/new": new_job.page,
    "/new/file": new_job.file_page,
    "/tuning-jobs": tuning_jobs.page,
    "/tuning-jobs/{name}": tuning_job.page,
    "/tuning-jobs/{name}/training-jobs": training_jobs.page,
    "/tuning-jobs/{name}/change": change_form.page,
    "/tuning-jobs/{name}/notes": notes.page,
    "/tuning-jobs/{name}/replay": replay.page,
    "/tuning-jobs/{name}/analysis": analysis.page,
    "/tuning-jobs/{name}/configuration": configuration.page,
    "/tuning-jobs/{name}/history": history.page,
    "/tuning-jobs/{name}/figures/{figure}.{kind}": figures.figure,
    "/tuning-jobs/{name}/table.{kind}": downloads.table,
    "/tuning-jobs/{name}/report": downloads.report_page,
    "/compare": analysis.comparison_page,
    "/compare/figures/{figure}.{kind}": figures.compared,
    "/training-jobs/{name}": training_job.page,
    "/training-jobs/{name}/log": logs.log_page,
    "/training-jobs/{name}/log/part": logs.log_part,
    "/training-jobs/{name}/log/file": logs.log_file,
    "/training-jobs/{name}/files/{kind}": artifacts.file,
}
"""Pages, and files that they link to."""

POST: Mapping[str, Page] = {
    "/new": new_job.send,
    "/new/file": new_job.send_file,
    "/tuning-jobs/{name}/change": change_form.change,
    "/tuning-jobs/{name}/notes": notes.save,
    "/tuning-jobs/{name}/stop": tuning_job.stop,
    "/tuning-jobs/{name}/force-stop": tuning_job.force_stop,
    "/training-jobs/{name}/stop": training_job.stop,
}
"""What forms send."""

STREAMS: Mapping[str, Callable[[PageRequest], object]] = {
    "/events": events.state_of_all,
    "/tuning-jobs/{name}/events": events.state_of_tuning_job,
    "/tuning-jobs/{name}/replay/events": replay.state_of_replays,
    "/training-jobs/{name}/events": events.state_of_training_job,
}
"""Event streams, by what differs once their page has changed."""

LEFT: Mapping[Callable[[PageRequest], object], Callable[[PageRequest], None]] = {replay.state_of_replays: replay.left}
"""What is called once a page has closed its event stream, by what the stream watched."""
