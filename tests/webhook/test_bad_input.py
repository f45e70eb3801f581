"""The real decision behind a real server over TLS, and input from people who mean harm.

``FUZZ_SOCKETS`` says how many mutated reviews are sent (1,000 unless told).
"""

import contextlib
import json
import os
import random
import re
import threading
import time

import mutator
import pytest
from webhook_server import Load, Server

pytestmark = pytest.mark.slow

SOCKETS = int(os.environ.get("FUZZ_SOCKETS", "1000"))
MIB = 2**20
SIZE = 7 * MIB
WORKERS = 2
TYPE = {"Content-Type": "application/json"}
ENGINE = "gpu_admission.webhook.review.handler:ENGINE"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad-input")
    with Server(folder, engine=ENGINE, policy="default,strict,hami,kai,mig,volcano-vgpu", workers=WORKERS) as running:
        yield running


def pss(server):
    """MiB of all workers, shared pages counted once."""
    total = 0
    for pid in server.workers():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            total += int(re.search(r"^Pss: +(\d+)", rollup.read(), re.MULTILINE)[1])
    return total / 1024


def send(client, path, body):
    client.request("POST", path, body, TYPE)
    answer = client.getresponse()
    return answer.status, answer.read()


def test_mutated_reviews_over_sockets(server):
    make = mutator.Mutator(random.Random(os.environ.get("FUZZ_SEED", "1")))
    seen = dict.fromkeys((200, 400), 0)
    before = None
    with contextlib.closing(server.client(60)) as client:
        for number in range(SOCKETS):
            endpoint, body = make()
            policy = random.Random(number).choice(("", "/strict", "/hami", "/kai", "/mig", "/volcano-vgpu"))
            status, output = send(client, f"/{endpoint}{policy}", body)
            assert status in seen, (output, body[:2000])
            seen[status] += 1
            json.loads(output)
            if number == SOCKETS // 2:
                before = pss(server)
    after = pss(server)
    print(f"{SOCKETS} reviews {seen}, PSS of {WORKERS} workers {before:.1f} MiB after half and {after:.1f} after all")
    assert min(seen.values()) > 0
    assert after - before < 20
    assert "review failed" not in server.log


SECRET = "hunter2-do-not-log"
INJECTED = 'x"\n{"level":"error","message":"forged"}\r\n\x1b[2J\u2028'


def secretive(rng):
    """A review whose object holds a secret nearly everywhere but in its own name."""
    review = mutator.Mutator(rng).review()
    container = {
        "name": SECRET,
        "image": f"registry/{SECRET}",
        "command": [SECRET],
        "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": SECRET}, {"name": f"NVIDIA_{SECRET}", "value": SECRET}],
        "resources": {"limits": {"nvidia.com/gpu": SECRET, f"nvidia.com/{SECRET}": "1"}, SECRET: {}},
        "volumeMounts": [{"name": SECRET, "mountPath": f"/dev/{SECRET}"}],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": SECRET, "hostPath": {"path": f"/dev/nvidia0/{SECRET}"}}],
        "tolerations": [{"key": f"nvidia.com/{SECRET}", "value": SECRET}],
        "nodeName": SECRET,
        "schedulerName": SECRET,
        "runtimeClassName": SECRET,
    }
    metadata = {"name": "the-name", "annotations": {f"cdi.k8s.io/{SECRET}": SECRET}, "labels": {SECRET: SECRET}}
    review["request"] |= {
        "operation": rng.choice(("CREATE", "UPDATE")),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "userInfo": {"username": SECRET, "extra": {SECRET: [SECRET]}},
        "object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
        "oldObject": {"spec": {"containers": [container]}},
        "options": {SECRET: SECRET},
    }
    text = json.dumps(review)
    return rng.choice((text, text, text[: rng.randrange(len(text))], text.replace(f'"{SECRET}"', "[[", 1))).encode()


@pytest.mark.parametrize("style", ["json", "text"])
def test_nothing_of_an_object_but_its_names_is_logged(tmp_path, style):
    rng = random.Random(1)
    with Server(tmp_path, engine=ENGINE, policy="strict,kai", log_format=style, log_level="debug") as server:
        with contextlib.closing(server.client(60)) as client:
            for _ in range(200):
                status, _ = send(client, f"/{rng.choice(mutator.ENDPOINTS)}{rng.choice(('', '/kai'))}", secretive(rng))
                assert status in {200, 400}
        server.request("POST", f"/validate?{SECRET}", SECRET.encode(), {"Authorization": f"Bearer {SECRET}"})
        server.request("GET", "/validate", headers={"X-Secret": SECRET, "Content-Type": SECRET})
        assert server.stop() == 0
        assert "the-name" in server.log
        assert SECRET not in server.log


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_field_of_a_request_can_forge_a_line(tmp_path, style):
    review = mutator.Mutator(random.Random(1)).review()
    review["request"] |= dict.fromkeys(("uid", "operation", "namespace", "name", "subResource"), INJECTED)
    review["request"]["kind"] = {"group": INJECTED, "version": INJECTED, "kind": INJECTED}
    with Server(tmp_path, engine=ENGINE, log_format=style) as server:
        begun = len(server.log.splitlines())
        assert server.post("/validate", json.dumps(review).encode())[0] == 200
        server.raw(
            b"POST /validate/%0d%0a%7b%22level%22:%22forged%22%7d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert server.stop() == 0
        output = server.log_path.read_bytes()
        assert output.isascii()
        assert not re.search(rb"[^\n -~]", output)
        messages = [line for line in output.splitlines()[begun:] if b"forged" in line]
        assert len(messages) == 2  # one each, in which it stands escaped
        assert not any(line.startswith(b'{"level"') for line in output.splitlines())


def filled(begin, one, end, size=SIZE):
    """A body of seven mebibytes, as many of one thing as go into it."""
    return begin + one * ((size - len(begin) - len(end)) // len(one) - 1) + end.replace(b"@", one.rstrip(b","))


def in_review(begin, one):
    """A review of a pod as large as the API server takes one, and as dense as can be."""
    head = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",'
    head += b'"kind":{"version":"v1","kind":"Pod"},"object":{"apiVersion":"v1","kind":"Pod","spec":{' + begin
    closing = ""
    for char in re.findall(r"[][{}]", head.decode()):
        closing = closing[1:] if char in "]}" else {"[": "]", "{": "}"}[char] + closing
    return filled(head, one, b"@" + closing.encode(), 3 * MIB)


HOSTILE = {
    "mappings": filled(b'{"a":[', b"{},", b"{}]}"),
    "lists": filled(b"[", b"[],", b"[]]"),
    "open lists": b"[" * SIZE,
    "open mappings": b'{"a":' * (SIZE // 5),
    "one text": b'{"a":"' + b"x" * (SIZE - 8) + b'"}',
    "escapes": filled(b'{"a":"', rb"\u00e9", b'"}'),
    "numbers": filled(b"[", b"1,", b"1]"),
    "digits": b"1" * SIZE,
    "keys": b"{" + b",".join(b'"%d":1' % number for number in range(600_000)) + b"}",
    "spaces": b" " * SIZE,
    "containers": in_review(b'"containers":[', b'{"name":"c"},'),
    "tolerations": in_review(b'"tolerations":[', b"{},"),
    "variables": in_review(b'"containers":[{"name":"c","env":[', b'{"name":"NVIDIA_VISIBLE_DEVICES"},'),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_bodies_do_not_multiply_memory(server, shape):
    """Eight at once take what one takes in each worker, and small reviews are answered meanwhile."""
    body = HOSTILE[shape]
    assert 2 * MIB < len(body) <= SIZE
    one = peak(server, body, 1)
    eight = peak(server, body, 8)
    print(f"{shape}: {one:.0f} MiB more for one, {eight:.0f} for eight at once on {WORKERS} workers")
    assert eight < WORKERS * one + 8 * 3 * SIZE / MIB
    assert "review failed" not in server.log


def peak(server, body, clients):
    """How many MiB more the workers hold at most while so many clients send a body at once."""
    statuses = []

    def one():
        with contextlib.closing(server.client(300)) as client:
            statuses.append(send(client, "/mutate", body)[0])

    before = most = pss(server)
    threads = [threading.Thread(target=one) for _ in range(clients)]
    with Load(server, clients=1) as load:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            most = max(most, pss(server))
            time.sleep(0.1)
        for thread in threads:
            thread.join()
        load.wait(1)
    # Parsing blocks other threads: requests that waited for a second get a 503.
    assert not any(b"overloaded" not in lost for lost in load.lost)
    assert len(statuses) == clients
    assert set(statuses) <= {200, 400, 413, 503}, statuses
    return most - before
