"""The attributes that a CEL selector uses, and whether it compiles by the types of Kubernetes' environment.

k8s.io/dynamic-resource-allocation cel/compile.go declares one variable, ``device``, with ``driver``, ``attributes``,
``capacity`` and ``allowMultipleAllocations``; the two maps go from a domain to a map from names to values, which are
of any type among attributes and quantities among capacity.
"""

from __future__ import annotations

from gpu_admission.core import typos

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.cel import CelNode

FIELDS = {"driver": "string", "attributes": "attributes", "capacity": "capacity", "allowMultipleAllocations": "bool"}
_RELATIONS = frozenset({"<", "<=", ">", ">="})
_EQUALITIES = frozenset({"==", "!="})
_SCALARS = frozenset({"string", "int", "double", "bool", "null", "bytes"})
_ORDERED = frozenset({"quantity", "semver", "attributes", "capacity", "values", "amounts", "device"})
_OF_FUNCTIONS = {
    "quantity": "quantity", "semver": "semver", "isQuantity": "bool", "isSemver": "bool", "string": "string",
    "int": "int", "size": "int", "has": "bool", "double": "double", "bool": "bool", "type": "type",
}  # fmt: skip
_OF_METHODS = {
    "compareTo": "int", "isGreaterThan": "bool", "isLessThan": "bool", "startsWith": "bool", "endsWith": "bool",
    "contains": "bool", "matches": "bool", "lowerAscii": "string", "upperAscii": "string", "trim": "string",
    "size": "int", "exists": "bool", "all": "bool", "exists_one": "bool", "existsOne": "bool", "add": "quantity",
    "sub": "quantity", "major": "int", "minor": "int", "patch": "int", "isInteger": "bool", "asInteger": "int",
}  # fmt: skip
_MACROS = frozenset({"exists", "all", "exists_one", "existsOne", "filter", "map", "transformList", "bind"})
_NAMESPACES = frozenset({"cel", "sets", "math", "strings", "optional", "semver", "regex", "lists", "ip", "cidr"})
_TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map", "type", "dyn", "null_type"})


class Access:
    """An access to ``device.attributes["domain"].name`` or ``capacity``; ``guarded`` against a missing one."""

    __slots__ = ("domain", "guarded", "map", "name")

    def __init__(self, of: str, domain: str, name: str, *, guarded: bool) -> None:
        self.map = of
        self.domain = domain
        self.name = name
        self.guarded = guarded


class Selector:
    """The analysis of one expression: ``faults`` for which it does not compile, and its accesses.

    ``domains`` are those that the expression tests with ``in``, ``quantities`` the arguments of ``quantity()``,
    ``versions`` the attributes that are compared with a string by an operator.
    """

    __slots__ = ("accesses", "compared", "domains", "faults", "quantities")

    def __init__(self, tree: CelNode) -> None:
        self.faults: list[str] = []
        self.accesses: list[Access] = []
        self.domains: set[str] = set()
        self.quantities: list[str] = []
        self.compared: list[Access] = []
        result = self._type(tree, frozenset(), guarded=False)
        if result in _SCALARS - {"bool"} or result in _ORDERED:
            self.faults.append(_not_a_test(tree, result))

    def _type(self, node: CelNode, scope: frozenset[str], *, guarded: bool) -> str:
        """Return the type of a part, "dyn" where it is any, and record its faults and accesses."""
        guarded = guarded or node.optional
        of_kind = getattr(self, f"_{node.kind}", None)
        if of_kind is not None:
            found: str = of_kind(node, scope, guarded=guarded)
            return found
        kinds = [self._type(child, scope, guarded=guarded) for child in node.children]
        if node.kind == "conditional":
            return kinds[1] if kinds[1] == kinds[2] else "dyn"
        return node.kind

    def _select(self, node: CelNode, scope: frozenset[str], *, guarded: bool) -> str:
        return self._member(node, node.text, scope, guarded=guarded)

    def _index(self, node: CelNode, scope: frozenset[str], *, guarded: bool) -> str:
        key = node.children[1]
        self._type(key, scope, guarded=guarded)
        return self._member(node, key.text if key.kind == "string" else None, scope, guarded=guarded)

    def _identifier(self, node: CelNode, scope: frozenset[str], *, guarded: bool) -> str:
        del guarded
        name = node.text
        if name == "device" or name in scope:
            return "device" if name == "device" else "dyn"
        if name not in _NAMESPACES and name not in _TYPES:
            near = typos.suggestion("device") if typos.nearest(name, ["device"], 2) else ""
            self.faults.append(f"{name[:40]!r} is not known: the only variable of a selector is device{near}")
        return "dyn"

    def _member(self, node: CelNode, name: str | None, scope: frozenset[str], *, guarded: bool) -> str:
        of = self._type(node.children[0], scope, guarded=guarded)
        if of == "device":
            if name not in FIELDS:
                near = typos.did_you_mean(name or "", FIELDS)
                self.faults.append(f"device has no field {str(name)[:40]!r}{near}")
                return "dyn"
            return FIELDS[name]
        if of in {"attributes", "capacity"}:
            return "values" if of == "attributes" else "amounts"
        if of in {"values", "amounts"}:
            domain = _key(node.children[0])
            if domain is not None and name is not None:
                of_map = "attributes" if of == "values" else "capacity"
                self.accesses.append(Access(of_map, domain, name, guarded=guarded))
            return "dyn" if of == "values" else "quantity"
        if of in _SCALARS or of == "quantity":
            self.faults.append(f"a {of} has no field {str(name)[:40]!r}")
        return "dyn"

    def _operator(self, node: CelNode, scope: frozenset[str], *, guarded: bool) -> str:
        before = len(self.accesses)
        kinds = [self._type(child, scope, guarded=guarded) for child in node.children]
        if node.text == "in" and node.children[0].kind == "string" and kinds[1] in {"attributes", "capacity"}:
            self.domains.add(node.children[0].text)
        if len(kinds) == 1:
            return "bool" if node.text == "!" else kinds[0]
        if node.text in {"&&", "||"}:
            for child, kind in zip(node.children, kinds, strict=True):
                if kind in _SCALARS - {"bool"} or kind in _ORDERED:
                    self.faults.append(_not_a_test(child, kind))
            return "bool"
        if node.text in _RELATIONS | _EQUALITIES:
            self._relation(node.text, kinds)
            if "string" in kinds and len(self.accesses) == before + 1 and "dyn" in kinds:
                self.compared.append(self.accesses[-1])
        return "bool" if node.text in _RELATIONS | _EQUALITIES | {"in"} else "dyn"

    def _relation(self, operator: str, kinds: list[str]) -> None:
        opaque = next((kind for kind in kinds if kind in _ORDERED), None)
        if opaque is None:
            plain = [kind for kind in kinds if kind in _SCALARS]
            numbers = {"int", "double"}.issuperset(plain)
            if len(plain) == 2 and plain[0] != plain[1] and not numbers:
                self.faults.append(f"a {plain[0]} cannot be compared with a {plain[1]} by {operator}")
        elif operator in _RELATIONS or set(kinds) - {opaque, "dyn"}:
            self.faults.append(_compare(opaque, operator))

    def _call(self, node: CelNode, scope: frozenset[str], *, guarded: bool) -> str:
        inside = guarded or node.text == "has"
        for child in node.children:
            self._type(child, scope, guarded=inside)
        if node.text == "quantity" and len(node.children) == 1 and node.children[0].kind == "string":
            self.quantities.append(node.children[0].text)
        return _OF_FUNCTIONS.get(node.text, "dyn")

    def _method(self, node: CelNode, scope: frozenset[str], *, guarded: bool) -> str:
        of = self._type(node.children[0], scope, guarded=guarded)
        inner = scope
        arguments = node.children[1:]
        if node.text in _MACROS:
            named = [each.text for each in arguments if each.kind == "identifier"]
            inner = scope | frozenset(named)
        for child in arguments:
            self._type(child, inner, guarded=guarded)
        if of == "quantity" and node.text in {"startsWith", "endsWith", "contains", "matches", "lowerAscii"}:
            self.faults.append(f"a quantity has no {node.text}()")
        return _OF_METHODS.get(node.text, "dyn")


def _key(node: CelNode) -> str | None:
    """Return the domain that is looked up in a map of the device, None where it is not a literal."""
    if node.kind == "select":
        return node.text
    key = node.children[1] if node.kind == "index" else None
    return key.text if key is not None and key.kind == "string" else None


def _compare(kind: str, operator: str) -> str:
    if kind == "quantity":
        wanted = operator if operator in _RELATIONS else "=="
        return f"a quantity is compared by compareTo, not by {operator}: .compareTo(quantity('40Gi')) {wanted} 0"
    if kind == "semver":
        return f"a version is compared by compareTo, not by {operator}: .compareTo(semver('550.0.0')) {operator} 0"
    if kind in {"values", "amounts"}:
        return 'a domain is not an attribute: write device.attributes["DOMAIN"].NAME, domain and name apart'
    return f"{kind} cannot be compared by {operator}"


def _not_a_test(node: CelNode, kind: str) -> str:
    more = (
        " (compareTo gives a number: compare it with 0)" if node.kind == "method" and node.text == "compareTo" else ""
    )
    return f"the selector is a {kind}, and has to be true or false{more}"


def looked_at(selector: Selector) -> Iterator[Access]:
    """Yield the accesses of an expression that fail where the domain or name is missing."""
    for access in selector.accesses:
        if not access.guarded:
            yield access
