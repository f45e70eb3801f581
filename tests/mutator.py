"""AdmissionReviews as the API server sends them, and everything that can be wrong with one: by seed, so that a find repeats.

The third part of ``manifests`` and ``disorder``: those break objects, this breaks whole requests, first as a
structure and then as bytes.
"""

import json

import disorder
import manifests

ENDPOINTS = ("mutate", "validate")
OPERATIONS = ("CREATE", "CREATE", "CREATE", "CREATE", "CREATE", "CREATE", "UPDATE", "UPDATE", "DELETE", "CONNECT")
SUBRESOURCES = ("", "", "", "", "", "", "", "", "", "", "", "ephemeralcontainers", "status", "binding")
USERS = ("alice", "system:serviceaccount:kube-system:replicaset-controller", "system:node:gpu-0", "")
NAMESPACES = ("research", "research", "research", "kube-system", "", "gpu-operator")
STRANGE = (
    *disorder.HOSTILE, "\x00", "\u2028", "\ufeff", "a" * 70_000, "9" * 4000, -(10**4000), 0.1, -0.0, 1e-320, 2**63,
    "1e99999999999", "-9223372036854775809", "NaN", "Infinity", "../..", "%s%n", "{{ x }}", "$(x)", "<script>",
    [1] * 300, {str(number): number for number in range(300)}, {"a/b~c": {"~1": [0]}}, [[[[[[]]]]]], {"-": "-"},
    {"name": None}, [{"name": "c0"}, {"name": "c0"}], {"requests": {"nvidia.com/gpu": 1}}, {"op": "remove", "path": ""},
    "gpu-admission.io/gpu-mem", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-" + "1" * 50 + "g.5gb", "Always", "UPDATE",
)  # fmt: skip
WORDS = (
    "apiVersion", "kind", "metadata", "spec", "uid", "object", "oldObject", "operation", "name", "containers",
    "initContainers", "resources", "limits", "requests", "annotations", "tolerations", "env", "nvidia.com/gpu", "",
    "template", "items", "volumes", "securityContext", "affinity", "nodeSelector", "claims", "resourceClaims",
)  # fmt: skip
DEPTHS = (3, 30, 200, 400, 600, 800, 900, 950, 980, 990, 1100, 3000, 50_000)
ESCAPES = (
    r"\ud800", r"\udc00\ud800", r"\u0000", r"\u", r"\uZZZZ", r"\x41", "\\", r"\\", "\\\n", "\n", "\x00", "\x7f",
    "\u2028", "\U0001f600", r"\ud83d\ude00",
)  # fmt: skip
SPLICES = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b'"',
    b"{",
    b"[" * 40,
    b"]",
    b",",
    b"NaN",
    b"1e999",
    b"-",
    b"\\u",
)
REPAIRED = tuple(
    json.dumps(resources)
    for resources in (
        {"requests": {"nvidia.com/gpu": "1"}},
        {"requests": {"nvidia.com/gpu": "1"}, "limits": {"cpu": 1}},
        {"limits": {"nvidia.com/gpu": 2}},
        {"limits": {"gpu-admission.io/gpu-mem": "4Gi"}},
        {"limits": {"gpu-admission.io/gpu-mem": "8Gi", "gpu-admission.io/gpu-core": 30}},
        {"limits": {"gpu-admission.io/gpu-count": 2}, "requests": {"cpu": "1"}},
        {"limits": {"aliyun.com/gpu-mem": 8}},
        {"limits": {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 4096}},
        {"limits": {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 4096}},
        {"limits": {"nvidia.com/mig-1g.5gb": 1}},
        {},
    )
)
_DEPTH = "@depth@"


class Mutator:
    """Makes reviews: most broken in a few places, some whole, one in ten with broken bytes as well."""

    def __init__(self, rng):
        self._rng = rng
        self._whole = []

    def __call__(self):
        """Return an endpoint and the bytes of a body for it."""
        rng = self._rng
        if not self._whole:  # making one costs more than breaking it: each is broken in eight ways
            self._whole = [json.dumps(self.review()) for _ in range(16)] * 8
            rng.shuffle(self._whole)
        review = json.loads(self._whole.pop())
        for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 4, 8))):
            self._break(review)
        text = json.dumps(review, ensure_ascii=rng.random() < 0.5)
        if _DEPTH in text:
            text = self._deepen(text)
        if rng.random() < 0.08:
            text = self._misspell(text)
        body = text.encode("utf-8", "surrogatepass")
        return rng.choice(("mutate", *ENDPOINTS)), self._damage(body) if rng.random() < 0.1 else body

    def review(self):
        """A whole review of an object of any kind, as a structure."""
        rng = self._rng
        obj = self._object()
        operation = rng.choice(OPERATIONS)
        group, _, version = obj["apiVersion"].rpartition("/")
        request = {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": obj["kind"]},
            "operation": operation,
            "namespace": rng.choice(NAMESPACES),
            "userInfo": {"username": rng.choice(USERS), "groups": ["system:authenticated"]},
            "object": None if operation == "DELETE" else obj,
            "oldObject": self._older(obj) if operation in {"UPDATE", "DELETE"} else None,
            "dryRun": False,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        }
        subresource = rng.choice(SUBRESOURCES)
        if subresource:
            request["subResource"] = subresource
        return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}

    def _object(self):
        """An object; half of them pods with so little amiss that they are repaired, and go through."""
        rng = self._rng
        if rng.random() < 0.5:
            spec = disorder.decorate(rng, manifests.pod_spec(rng, clean=1), chance=0.03)
            for one in spec["containers"]:
                one["resources"] = json.loads(rng.choice(REPAIRED))
            return manifests.wrapped(rng, spec, ["Pod"])
        clean = rng.choice((0.5, 0.9, 1))
        return disorder.workload(rng, clean) if rng.random() < 0.6 else disorder.pod(rng, clean)

    def _older(self, obj):
        return disorder.broken(self._rng, obj) if self._rng.random() < 0.7 else disorder.workload(self._rng)

    def _break(self, review):
        """Do something to a place of the review; nearly always inside of the object."""
        rng = self._rng
        request = review.get("request")
        request = request if isinstance(request, dict) else {}
        objects = [request.get(name) for name in ("object", "object", "oldObject")]
        objects = [value for value in objects if isinstance(value, dict)]
        around, last = self._place(rng.choice(objects) if objects and rng.random() < 0.97 else review)
        if last is not None:
            rng.choice((self._replace, self._replace, self._replace, self._drop, self._double, self._move, self._wrap))(
                review, around, last
            )

    def _place(self, value):
        """Walk down from a value for a while; return where that leads and the last step (None: nowhere)."""
        rng = self._rng
        around, last = value, None
        while isinstance(value, dict | list) and value and (last is None or rng.random() < 0.85):
            around, last = value, rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
            value = around[last]
        return around, last

    def _value(self):
        rng = self._rng
        kind = rng.random()
        if kind < 0.55:
            return _unshared(rng.choice(STRANGE))
        if kind < 0.8:
            return manifests.quantity(rng, clean=0.1)
        if kind < 0.83:
            return _DEPTH
        return {manifests.gpu_name(rng, 0.5): manifests.quantity(rng, 0.5) for _ in range(rng.randrange(4))}

    def _replace(self, _review, around, last):
        around[last] = self._value()

    def _drop(self, _review, around, last):
        del around[last]

    def _double(self, _review, around, last):
        if isinstance(around, list):
            around += [_unshared(around[last]) for _ in range(self._rng.choice((1, 2, 70)))]
        else:
            around[self._rng.choice(WORDS)] = _unshared(around[last])

    def _move(self, review, around, last):
        value = around[last]
        del around[last]
        there, _ = self._place(review)
        if isinstance(there, dict):
            there[self._rng.choice((*WORDS, str(last)))] = value

    def _wrap(self, _review, around, last):
        around[last] = self._rng.choice(([around[last]], {self._rng.choice(WORDS): around[last]}))

    def _deepen(self, text):
        depth = self._rng.choice(DEPTHS) + self._rng.randrange(10)
        opening, closing = self._rng.choice((("[", "]"), ('{"spec":', "}"), ('{"containers":[', "]}")))
        return text.replace(f'"{_DEPTH}"', f"{opening * depth}{closing and '1'}{closing * depth}")

    def _misspell(self, text):
        """Put into the text what a structure cannot hold: doubled keys, odd escapes, odd numbers."""
        rng = self._rng
        at = rng.randrange(len(text))
        deed = rng.randrange(3)
        if deed == 0:
            at = text.find("{", at) + 1
            return (
                f'{text[:at]}"{rng.choice(WORDS)}": {rng.choice(("null", "[]", "{}", "1", chr(34) * 2))}, {text[at:]}'
            )
        if deed == 1:
            at = text.find('"', at) + 1
            return text[:at] + rng.choice(ESCAPES) + text[at:]
        at = text.find(": ", at) + 2
        return (
            f"{text[:at]}{rng.choice(('1e400', '-0', '0x1', 'nul', '1' * 4400, 'Infinity', '.5', '01'))}, {text[at:]}"
        )

    def _damage(self, body):
        """Flip, cut, insert, repeat."""
        rng = self._rng
        for _ in range(rng.choice((1, 1, 2, 5))):
            at, to = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
            deed = rng.randrange(5)
            if deed == 0 and at < len(body):
                body = body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :]
            elif deed == 1:
                body = body[:at] + rng.choice(SPLICES) + body[at:]
            elif deed == 2:
                body = body[:at] + body[min(to, at + rng.randrange(1, 9)) :]
            elif deed == 3:
                body = body[:at] + body[at : at + 40] * 2 + body[at + 40 :]
            elif rng.random() < 0.3:
                body = body[:at]
        return body


def _unshared(value):
    """A copy without shared parts, so that no move can put an object into itself."""
    return json.loads(json.dumps(value))
