"""Names mean one thing and come from the field: no class name twice, no identifier or term that has a better one."""

import ast
import collections
import re
from pathlib import Path

import pytest

import gpu_admission

ROOT = Path(gpu_admission.__file__).parent
REPOSITORY = ROOT.parent
MODULES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}

# Identifiers, whole or as a part between underscores, each with the term that the field has for it.
REPLACED = {
    "emission": "backend_patch",
    "layout": "formatting style",
    "maker": "vendor",
    "makers": "vendors",
    "misshapen": "structure",
    "said": "what was said: message, summary, detail",
    "says": "what is said: message, summary, detail",
    "stray": "misplaced",
    "spelling": "native_request, or the name of the variant",
    "spelt": "what it is written as",
    "told": "what is known: known, assigned",
}
# Words and phrases of prose, in code, messages and documentation.
PROSE = {
    "anybody": "the subject: a user, a program, a client",
    "as good as": "nearly, or a figure",
    "becomes of": "the result of",
    "by trade": "the component's purpose",
    "everybody": "the subject: all users, all clients",
    "for ever": "forever, or until when",
    "in silence": "without a warning",
    "maker": "vendor",
    "makers": "vendors",
    "nobody": "the subject: no user, no program, no client",
    "rationed": "start-up time",
    "seldom": "rarely",
    "somebody": "the subject: a user, a program, a client",
    "stray": "misplaced",
    "tell whether": "return whether",
    "tells whether": "returns whether",
    "without a word": "without a warning",
}


def identifiers(tree):
    """Yield every name that a module defines or uses."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.alias(asname=str(name)):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name


def parts(name):
    """Return the words of an identifier: ``_MostMakers`` and ``_most_makers`` have the same."""
    return {part.lower() for part in re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).split("_") if part}


def test_no_class_name_is_defined_twice():
    places = collections.defaultdict(list)
    for path, module in MODULES.items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 100
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_identifiers_are_the_fields_terms():
    found = {
        f"{path.relative_to(ROOT)}: {name}": REPLACED[part]
        for path, module in MODULES.items()
        for name in identifiers(module)
        for part in parts(name) & REPLACED.keys()
    }
    assert not found


@pytest.mark.parametrize("name", ["makers", "_MAKERS", "OtherMakers", "require_maker", "Layout", "is_told"])
def test_an_identifier_is_found_whatever_its_case(name):
    assert parts(name) & REPLACED.keys()
    assert not parts("marker_spellings_remaining_whole") & REPLACED.keys()


def test_prose_has_the_fields_terms():
    files = [
        path
        for pattern in (
            "*.md",
            "docs/**/*.md",
            "deploy/**/*.md",
            "certs/*.md",
            "policies/*",
            "gpu_admission/**/*.py",
            "deploy/**/*.yaml",
        )
        for path in REPOSITORY.glob(pattern)
    ]
    assert len(files) > 400
    words = re.compile(rf"\b({'|'.join(PROSE)})\b".replace(" ", r"[\s#]+"), re.IGNORECASE)
    found = {str(path.relative_to(REPOSITORY)): words.findall(path.read_text(encoding="utf-8")) for path in files}
    assert not {path: terms for path, terms in found.items() if terms}
