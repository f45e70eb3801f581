"""What ``gpu-admission certs`` does, after its arguments have been parsed."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gpu_admission.cluster.api import connect as connect_cluster
from gpu_admission.cluster.ca_bundle import ca_bundle_targets
from gpu_admission.cluster.secret_store import SecretStore
from gpu_admission.pki.bundle import parse_bundle, unexpired, verifies
from gpu_admission.pki.certificate_set import CA_CRT, TLS_CRT, CertificateSet, from_files
from gpu_admission.pki.directory_store import DirectoryStore, pair_of
from gpu_admission.pki.errors import CertificateSetError, ConflictError, ForeignError, PkiError, StoreError
from gpu_admission.pki.rotation import RotationPlan, RotationStep, wanted
from gpu_admission.pki.rotation_steps import bring_up, perform
from gpu_admission.pki.subject_alt_names import Name, merged, names_of, parse_name, serving_names

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import datetime

    from gpu_admission.cluster.api import KubernetesApi
    from gpu_admission.pki.bundle import Bundle, CaBundleTarget
    from gpu_admission.pki.certificate_set import CertificateStore

SERVICE = "gpu-admission"  # name and namespace in deploy/
TRIES = 5  # against other writers
SETTLES = 5.0  # seconds until every API server has seen a new caBundle: their watches take less than one


class CertsUsageError(Exception):
    """An argument that is wrong regardless of what is stored."""


@dataclass(frozen=True, slots=True)
class Task:
    """Where certificates are kept, where their CA is published, and the clock."""

    store: CertificateStore
    plan: RotationPlan
    targets: tuple[CaBundleTarget, ...]
    clock: Callable[[], datetime]
    pause: Callable[[float], None]


def perform_action(
    args: argparse.Namespace,
    clock: Callable[[], datetime],
    connect: Callable[[str | None], KubernetesApi] | None,
    pause: Callable[[float], None],
) -> list[str]:
    """Perform the action, and return the lines to print. Raises CertsUsageError, PkiError."""
    names = () if args.action == "inject" else _names(args)
    plan = RotationPlan(names, leaf_life=timedelta(days=getattr(args, "days", 30)))
    configurations = getattr(args, "webhook_configuration", [])
    api = (connect or connect_cluster)(args.context) if configurations or args.secret else None
    store: CertificateStore = DirectoryStore(args.dir) if args.dir else SecretStore(_api(api), *args.secret.split("/"))
    places = [one for name in configurations for one in _existing(_api(api), name)]
    task = Task(store, plan, tuple(places), clock, pause)
    if args.action == "issue":
        return _issue(task, force=args.force)
    if args.action == "inject":
        return _inject(task, replacing=args.replace)
    return _rotate_authority(task, stage_only=args.stage) if args.ca else _rotate(task)


def _api(api: KubernetesApi | None) -> KubernetesApi:
    if api is None:
        raise StoreError("no cluster to talk to")
    return api


def _names(args: argparse.Namespace) -> tuple[Name, ...]:
    """Read the names requested; when there are none, a certificate keeps those it has."""
    if not (args.service or args.namespace or args.san):
        return ()
    try:
        return merged(
            serving_names(args.service or SERVICE, args.namespace or SERVICE),
            [parse_name(text) for text in args.san],
        )
    except PkiError as error:
        raise CertsUsageError(str(error)) from None


def _existing(api: KubernetesApi, name: str) -> tuple[CaBundleTarget, ...]:
    places = ca_bundle_targets(api, name)
    if not any(one.read().version for one in places):
        raise StoreError(f"there is no Mutating- or ValidatingWebhookConfiguration {name} with webhooks")
    return places


def _change(task: Task, change: Callable[[CertificateSet | None], CertificateSet | None]) -> CertificateSet | None:
    """Read, change and write, again where another client wrote meanwhile; nothing is written where a change is None."""
    for _ in range(TRIES):
        stored = task.store.read()
        changed = change(stored.certificates)
        if changed is None:
            return stored.certificates
        try:
            task.store.write(changed, stored.version)
        except ConflictError:
            continue
        return changed
    raise ConflictError(f"{task.store}: another client keeps writing it")


def _issue(task: Task, *, force: bool) -> list[str]:
    if force:
        certificates = perform(RotationStep.CREATE, None, task.clock(), _plan(task, None))
        task.store.write(certificates, None)
        return _summary(task, certificates)

    def issued(stored: CertificateSet | None) -> CertificateSet | None:
        made = bring_up(stored, task.clock(), _plan(task, stored))
        return None if made is stored else made

    try:
        return _summary(task, _ours(task, _change(task, issued)))
    except (ForeignError, CertificateSetError) as error:
        raise type(error)(f"{error}; --force replaces it with a new CA and certificate") from None


def _rotate(task: Task) -> list[str]:
    def rotated(stored: CertificateSet | None) -> CertificateSet:
        found = _ours(task, stored)
        return perform(RotationStep.RENEW, found, task.clock(), _plan(task, found))

    return _summary(task, _ours(task, _change(task, rotated)))


def _rotate_authority(task: Task, *, stage_only: bool) -> list[str]:
    """Introduce a new CA: into ca.crt, into the webhook configurations, and only then into use."""
    certificates = _ours(task, _change(task, functools.partial(_staged, task)))
    if stage_only:
        return [f"{task.store}: ca.crt contains the next CA too; publish it, then rotate --ca signs with it"]
    lines = []
    if task.targets:
        lines = _inject(task, replacing=False)
        task.pause(SETTLES)
        _confirm(task, certificates)
    return lines + _summary(task, _ours(task, _change(task, functools.partial(_promoted, task))))


def _staged(task: Task, stored: CertificateSet | None) -> CertificateSet | None:
    found = _ours(task, stored)
    return perform(RotationStep.STAGE, found, task.clock(), task.plan) if found.successor is None else None


def _promoted(task: Task, stored: CertificateSet | None) -> CertificateSet | None:
    found = _ours(task, stored)
    if found.successor is None:
        return None  # a replica was first
    return perform(RotationStep.PROMOTE, found, task.clock(), _plan(task, found))


def _confirm(task: Task, certificates: CertificateSet) -> None:
    """Check that every configuration contains the next CA. Raises StoreError."""
    for place in task.targets:
        if any(not set(certificates.trusted) <= set(bundle) for bundle in place.read().bundles):
            raise StoreError(f"{place}: another client keeps removing our CA; the old CA stays in use")


def _inject(task: Task, *, replacing: bool) -> list[str]:
    return [_inject_into(task, place, replacing=replacing) for place in task.targets if place.read().version]


def _inject_into(task: Task, place: CaBundleTarget, *, replacing: bool) -> str:
    for _ in range(TRIES):
        # In this order: a CA is stored before it is published, so none just published looks unknown.
        found = place.read()
        trusted, dropped = _to_publish(task)
        bundles = tuple(trusted if replacing else wanted(trusted, dropped, one, task.clock()) for one in found.bundles)
        if bundles == found.bundles:
            return f"{place}: up to date"
        try:
            place.write(bundles, found.version)
        except ConflictError:
            continue
        return f"{place}: published {len(trusted)} CA certificate{'s' * (len(trusted) != 1)}"
    raise ConflictError(f"{place}: another client keeps writing it")


def _to_publish(task: Task) -> tuple[Bundle, Bundle]:
    """Read ca.crt, also another's, and what was dropped; refuse what does not verify the certificate."""
    files, at = task.store.files(), task.clock()
    bundle = parse_bundle(files.get(CA_CRT, b""))
    if not bundle:
        raise CertificateSetError(f"{task.store}: ca.crt is missing or contains no PEM certificate")
    trusted = unexpired(bundle, at)
    if not trusted:
        raise CertificateSetError(f"{task.store}: every CA in ca.crt has expired")
    chain = parse_bundle(files.get(TLS_CRT, b""))
    if chain and not verifies(trusted, chain, at):
        raise CertificateSetError(
            f"{task.store}: tls.crt does not verify against ca.crt now; publishing it would stop every call"
        )
    try:
        ours = from_files(files)
    except PkiError:
        ours = None  # the CA was not made by gpu-admission, and may be published too
    return trusted, () if ours is None else ours.dropped


def _ours(task: Task, certificates: CertificateSet | None) -> CertificateSet:
    if certificates is None:
        raise CertificateSetError(f"{task.store}: nothing there, run gpu-admission certs issue first")
    return certificates


def _plan(task: Task, certificates: CertificateSet | None) -> RotationPlan:
    if task.plan.names:
        return task.plan
    leaf = None if certificates is None else certificates.leaf
    present = () if leaf is None else names_of(leaf.certificate)
    return replace(task.plan, names=present or serving_names(SERVICE, SERVICE))


def _summary(task: Task, certificates: CertificateSet) -> list[str]:
    pair = pair_of(certificates, task.clock())
    names = ", ".join(str(name.value) for name in pair.names)
    return [
        f"{task.store}: tls.crt for {names}, valid until {pair.not_after:%Y-%m-%d %H:%M} UTC",
        *(
            f"{task.store}: ca.crt contains {one.subject.rfc4514_string()},"
            f" valid until {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            for one in certificates.trusted
        ),
    ]
