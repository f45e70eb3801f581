"""The formats of reports, found by name: one module each, imported when its format is requested.

Each module has `render(report) -> str`; those of `FOR_PEOPLE` also take a style and what to leave out (see
concise.render).
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .report import Report

    class Renderer:
        """The `render` of a format's module."""

        def __call__(self, report: Report, *args: Any, **options: Any) -> str:
            """Return the report as text; encode it with ``backslashreplace``."""


FOR_PEOPLE = ("text", "concise")
# name -> module: a new format is a module and a line here
MODULES = {
    "text": "text",
    "concise": "concise",
    "json": "json_report",
    "sarif": "sarif",
    "junit": "junit",
    "github": "github",
    "gitlab": "gitlab",
}
FORMATS = tuple(MODULES)


def renderer(name: str) -> Renderer:
    """Return the function that renders a format. Raises ValueError for an unknown one."""
    if name not in MODULES:
        raise ValueError(f"unknown format {name!r}; choose from {', '.join(FORMATS)}")
    render: Renderer = import_module(f"gpu_admission.reports.{MODULES[name]}").render
    return render
