"""Certificates of the webhook: an own CA, a serving certificate, and their rotation without a gap.

It reads and writes files, and knows neither Kubernetes nor a server. Every function takes the time as an argument
(``at``, an aware datetime in UTC); how long something has lasted is told by a monotonic clock, which tests replace.
Everything that goes wrong is a `PkiError`, whose text is one line for a user and never holds a key.

=================== ===============================================================================
authority           makes CAs and serving certificates, and says when they are valid
subject_alt_names   what a serving certificate is valid for
bundle              trusted CA certificates, and `CaBundleTarget`, where clients find them
serving_pair        a certificate chain and its key, checked as TLS will check them
certificate_set     everything stored as one value, its files, and `CertificateStore`, where it is kept
atomic_directory    a directory whose files change all at once
directory_store     a certificate set in such a directory (``serve --self-signed``): `ensure`, `mirror`
rotation            what to do next, as a pure decision: `decide`, `perform`
rotator             does it again and again: `Rotator.reconcile`, `CertificateObserver`, `run`
trust_status        what the process that looks tells the workers: does the bundle verify, what time is it
=================== ===============================================================================

A server makes or finds its certificate with `ensure` or `load_pair`, keeps it alive with a `Rotator` in one process of
each replica, and asks `trust_status` for its readiness.
"""
