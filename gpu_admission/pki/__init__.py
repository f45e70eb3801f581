"""Certificates of the webhook: its own CA, a serving certificate, and their rotation without an interruption.

It reads and writes files, and imports neither Kubernetes nor the server. Every function takes the time as an argument
(``at``, an aware datetime in UTC); durations are measured by a monotonic clock, which tests replace.
Every error is a `PkiError`, whose text is one line for a user and never contains a key.

=================== ===============================================================================
authority           makes CAs and serving certificates, and checks their validity
subject_alt_names   what a serving certificate is valid for
bundle              trusted CA certificates, and `CaBundleTarget`, where clients find them
serving_pair        a certificate chain and its key, checked as TLS will check them
certificate_set     everything stored as one value, its files, and `CertificateStore`, where it is kept
atomic_directory    a directory whose files change all at once
directory_store     a certificate set in such a directory (``serve --self-signed``): `ensure`, `mirror`
rotation            which step is next, as a pure decision: `decide`
rotation_steps      the steps as functions of a certificate set: `perform`, `bring_up`
rotator             decides and performs in a loop: `Rotator.reconcile`, `run`
trust_status        whether the published bundles verify, and the time: `CertificateObserver`, `read_status`
=================== ===============================================================================

A server makes or finds its certificate with `ensure` or `load_pair`, renews it with a `Rotator` in one process of each
replica, and reads `trust_status` for its readiness.
"""
