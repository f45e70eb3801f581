"""Certificates of the webhook: an own CA, a serving certificate, and their rotation without a gap.

A shell package: it reads and writes files, and it knows neither Kubernetes nor a server. Every
function takes the time as an argument (``at``, an aware datetime in UTC); none reads a clock.
Everything raised for bad certificates is a `PkiError` whose text is one line that can be shown to a user
and never holds a key.

What a server needs::

    from gpu_admission.pki.directory_store import ensure       # the embedded default, serve --self-signed DIR
    from gpu_admission.pki.subject_alt_names import serving_names
    from gpu_admission.pki.serving_pair import ServingPair, load_pair   # any certificate from disk, checked
    from gpu_admission.pki.watch import PairWatcher      # a bad pair on disk keeps the last good one

    serving_names(service: str, namespace: str) -> tuple[Name, ...]
        the service's names, localhost and 127.0.0.1
    ensure(directory: Path, names: Sequence[Name], at: datetime) -> Serving
        makes what is missing or due (CA, certificate), keeps what is good, refuses what is not ours.
        Several processes may call it at once: all see the same result.
        Serving: .ca_crt .tls_crt .tls_key (paths), .pair
    load_pair(certificate: Path, key: Path, at: datetime, *, like: ServingPair | None = None) -> ServingPair
        raises PairError: not PEM, key of another certificate, expired, not yet valid, another type of
        key than the pair in use (a running SSLContext takes only the same type), too large, unreadable
    ServingPair: .not_before .not_after .names .fingerprint .key_type .certificate
        .install(context: ssl.SSLContext) -> None    load_cert_chain from memory, no race with the disk
    PairWatcher(certificate: Path, key: Path)
        .poll(at) -> ServingPair | None     a new good pair, or None: nothing changed, or what is there is bad
        .pair                        the last good one
        .error                       what is wrong with what is on disk now, or None

What keeps it alive for years, in one process of each replica (sparing workers the Kubernetes client)::

    from gpu_admission.pki.rotator import Rotator, CertificateObserver, run
    from gpu_admission.pki.rotation import RotationPlan
    from gpu_admission.pki.directory_store import DirectoryStore
    from gpu_admission.cluster.secret_store import SecretStore          # a Secret shared by replicas
    from gpu_admission.cluster.ca_bundle import ca_bundle_targets            # webhook configurations

    Rotator(store, RotationPlan(names, jitter=0..1), ca_bundle_targets=[...], serving=DIR)
        .reconcile(at) -> list[Event]     what was done, what failed; tls.crt, tls.key, ca.crt in DIR
    CertificateObserver(ca_bundle_targets, certificate, status=DIR)     certificates that others make
    run(maintainer, stop, clock, report, interval=60.0) calls settle for ever, whatever happens

and what each worker asks for its readiness::

    from gpu_admission.pki.trust_status import read_status
    read_status(DIR, pair.fingerprint, at) -> bool | None
        False: seen not to verify, be not ready. None: not known, which is no reason
"""
