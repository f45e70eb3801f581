"""What is wrong with a CEL selector of devices (for GPU410)."""

from __future__ import annotations

from functools import lru_cache

from gpu_admission.core import cel, quantity, typos
from gpu_admission.core.raw import escape, format_value
from gpu_admission.workloads import device_classes

from .selector_types import Selector, looked_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.finding import Severity
    from gpu_admission.workloads.device_classes import Driver

    from .selector_types import Access

_LONGEST = 10 << 10  # bytes; kubernetes/api: resource/v1/types.go, CELSelectorExpressionMaxLength
_STOPS = "the scheduler would stop at it (no such key) and place no pod with this claim"


class Fault:
    """One fault of an expression."""

    __slots__ = ("advice", "message", "severity")

    def __init__(self, message: str, advice: str, severity: Severity = "error") -> None:
        self.message = message
        self.advice = advice
        self.severity: Severity = severity


def of(raw: object, driver: Driver | None) -> tuple[Fault, ...]:
    """Return the faults of a selector of a driver's devices (None: of any driver's)."""
    if not isinstance(raw, str):
        return (
            Fault(f"a selector's expression is {format_value(raw)}, not a string", "write the expression in quotes"),
        )
    if len(raw.encode("utf-8", "surrogatepass")) > _LONGEST:
        return (
            Fault(f"the selector has more than {_LONGEST} bytes, and Kubernetes refuses it", "write a shorter one"),
        )
    return _read(raw, driver)


@lru_cache(maxsize=64)  # a repository's templates share a few expressions
def _read(text: str, driver: Driver | None) -> tuple[Fault, ...]:
    try:
        selector = Selector(cel.parse(text))
    except cel.CelDepthError:
        return ()
    except cel.CelSyntaxError as error:
        what = f"the selector does not parse: {escape(str(error))}, at character {error.at + 1}"
        return (Fault(f"{what}; Kubernetes refuses it", 'correct it: device.attributes["DOMAIN"].NAME == "…"'),)
    if selector.faults:
        what = f"the selector does not compile: {escape(selector.faults[0])}"
        return (Fault(what, "correct it: Kubernetes refuses the object as it is"),)
    return tuple(dict.fromkeys([*_quantities(selector), *_looks(selector, driver), *_versions(selector)]))


def _quantities(selector: Selector) -> Iterator[Fault]:
    for amount in selector.quantities:
        try:
            quantity.parse(amount)
        except quantity.QuantityError:
            what = f"quantity({format_value(amount)}) is not a valid quantity, so the selector fails on every device"
            yield Fault(what, "write a number with one of Kubernetes' units, say 40Gi")


def _looks(selector: Selector, driver: Driver | None) -> Iterator[Fault]:
    for access in looked_at(selector):
        if access.domain in selector.domains or access.domain == device_classes.STANDARD_DOMAIN:
            continue
        known = device_classes.driver(access.domain)
        if known is None:
            yield from _unknown_domain(access, driver)
        elif driver is not None and known is not driver:
            what = f"devices of {driver.name} have nothing under the domain {known.name}, which is another driver's"
            yield Fault(f"{what}: {_STOPS}", f'write device.{access.map}["{driver.name}"]')
        else:
            yield from _unknown_name(access, known)


def _unknown_domain(access: Access, driver: Driver | None) -> Iterator[Fault]:
    names = [driver.name] if driver is not None else [*device_classes.driver_names()]
    near = driver.name if driver is not None else typos.nearest(access.domain[:64], names, 2)
    if near is None or (driver is not None and not driver.attributes):
        return
    what = f"devices of {near} have nothing under the domain {format_value(access.domain)}"
    yield Fault(f"{what}: {_STOPS}", f'write device.{access.map}["{near}"].{escape(access.name[:40])}', "warning")


def _unknown_name(access: Access, driver: Driver) -> Iterator[Fault]:
    published, other = (driver.attributes, driver.capacity)
    elsewhere = "capacity"
    if access.map == "capacity":
        published, other, elsewhere = driver.capacity, driver.attributes, "attributes"
    if not published or access.name in published:
        return
    what = f"{driver.name} publishes no {access.map} named {format_value(access.name)}"
    near = typos.nearest(access.name[:64].lower(), [each.lower() for each in sorted(published)], 2)
    if access.name in other:
        advice = f'write device.{elsewhere}["{driver.name}"].{access.name}'
    elif near is not None:
        advice = f"write {next(each for each in published if each.lower() == near)}"
    else:
        advice = (
            f"choose from {', '.join(sorted(published)[:24])}; or guard it: .?{escape(access.name[:40])}.orValue(…)"
        )
    yield Fault(f"{what}: {_STOPS}", advice, "warning")


def _versions(selector: Selector) -> Iterator[Fault]:
    for access in selector.compared:
        known = device_classes.driver(access.domain)
        if known is not None and access.map == "attributes" and access.name in known.versions:
            what = f"{access.name} is a version, which cannot be compared with a string: the selector matches no device"
            yield Fault(what, "write .compareTo(semver('1.2.3')) >= 0, with three numbers", "warning")
