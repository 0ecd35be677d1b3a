"""The pages of figures: the analysis of one tuning job, and the comparison of several."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from alfine.figures.chart import draws_live
from alfine.figures.comparison import COMPARED_BY
from alfine.server.console.figures import FIGURES, OF_A_DEFINITION, chosen_names
from alfine.server.console.page_request import PageRequest


def page(request: PageRequest) -> Response:
    """Render the analysis of a tuning job. Query: `definition`; `x` and `y` of the contour."""
    name = request.path_part("name")
    job = request.service.get(name)
    spec = job.spec()
    definitions = [part.definition.name for part in spec.definition_specs] if spec.parts else []
    chosen = request.query.get("definition") or (definitions[0] if definitions else "")
    part = next((part for part in spec.definition_specs if part.definition.name == chosen), spec.definition_specs[0])
    figures = []
    for figure, (title, _) in FIGURES.items():
        query = {key: request.query.get(key) for key in (("x", "y") if figure == "contour" else ())}
        if definitions and figure in OF_A_DEFINITION:
            query["definition"] = chosen
        given = {key: value for key, value in query.items() if value}
        figures.append({"name": figure, "title": title, "query": urlencode(given)})
    return request.render(
        "analysis.html",
        draws_live=draws_live(),
        name=name,
        ended=job.ended,
        figures=figures,
        names=list(part.names_in_order),
        definitions=definitions,
        chosen=chosen,
        x=request.query.get("x", ""),
        y=request.query.get("y", ""),
    )


def comparison_page(request: PageRequest) -> Response:
    """Render the comparison of several tuning jobs. Query: `name`, repeated."""
    names = chosen_names(request)
    jobs = [request.service.get(name) for name in names]
    query = urlencode([("name", name) for name in names])
    titles = {"jobs": "By training jobs", "seconds": "By training time", "wall": "By wall time", "money": "By cost"}
    figures = [{"name": by, "title": titles[by], "query": query} for by in COMPARED_BY]
    figures.append({"name": "distribution", "title": "Distribution of the objectives", "query": query})
    return request.render("compare.html", draws_live=draws_live(), jobs=jobs, figures=figures)
