"""``gpu-admission policy``: list, show and check policies, and print their schema."""

from __future__ import annotations

import json
import sys

from gpu_admission.policyfile import loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``policy`` and its four actions; `run` takes what they parse."""
    policy = subparsers.add_parser("policy", help="list, show and check policies")
    actions = policy.add_subparsers(dest="action", required=True, metavar="list | show | check | schema")
    actions.add_parser("list", help="the names of the shipped policies")
    show = actions.add_parser("show", help="print a shipped policy: the starting point of one's own")
    show.add_argument("name", metavar="NAME")
    check = actions.add_parser("check", help="check policy files")
    check.add_argument("files", metavar="FILE", nargs="+")
    actions.add_parser("schema", help="print the JSON Schema of policy files")


def run(options: argparse.Namespace) -> int:
    """Return 0, 1 where a checked file is no valid policy, 2 where a name is unknown."""
    actions = {"list": _list, "show": _show, "check": _check, "schema": _schema}
    return actions[options.action](options)


def _list(_: argparse.Namespace) -> int:
    for name in loader.shipped():
        print(f"{name:<14} {loader.summary(name)}")
    return 0


def _show(options: argparse.Namespace) -> int:
    try:
        sys.stdout.write(loader.source(options.name))
    except loader.PolicyError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _check(options: argparse.Namespace) -> int:
    worst = 0
    for path in options.files:
        try:
            policy = loader.parse(loader.content(path), path)
        except loader.PolicyError as error:
            print(error, file=sys.stderr)
            worst = 1
        else:
            print(f"{path}: policy {policy.name} is valid: backend {policy.backend.name}, mode {policy.mode}")
    return worst


def _schema(_: argparse.Namespace) -> int:
    from gpu_admission.policyfile import schema  # noqa: PLC0415 - pydantic, for this action only

    print(json.dumps(schema.schema(), indent=2, ensure_ascii=False))
    return 0
