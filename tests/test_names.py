"""Names mean one thing: no class name is defined twice in the product."""

import ast
import collections
from pathlib import Path

import gpu_admission

ROOT = Path(gpu_admission.__file__).parent


def test_no_class_name_is_defined_twice():
    places = collections.defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 100
    assert not {name: found for name, found in places.items() if len(found) > 1}
