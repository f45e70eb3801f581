"""Policies and objects for the tests of the guardrails."""

from rules.table import Found


def settings(**given):
    return {"guardrails": given}


def at(path, *words, severity="warning", fix=None):
    return Found(path, severity, words, fix)


def owned(obj, api_version, kind):
    obj["metadata"]["ownerReferences"] = [{"apiVersion": api_version, "kind": kind, "name": "x"}]
    return obj
