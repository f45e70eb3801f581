"""Every wrong request of the interface's answer table, byte for byte, against a real server over TLS."""

import gzip
import json
import socket
import ssl

import pytest
from webhook_server import read_all, review, until

BODY = review()
TYPE = "Content-Type: application/json"


def raw(method="POST", path="/validate?timeout=10s", *lines, body=BODY, length=True):
    head = [f"{method} {path} HTTP/1.1", "Host: x", *lines]
    if length:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def parse(data):
    """All answers in what a connection returned: [(status, headers, body)]."""
    answers = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        answers.append((status, headers, data[:length]))
        data = data[length:]
    return answers


def only(data):
    answers = parse(data)
    assert len(answers) == 1, answers
    return answers[0]


def is_error(answer, status):
    got, headers, body = answer
    assert got == status
    assert headers["content-type"] == "application/json"
    assert body.count(b"\n") == 1
    assert json.loads(body)["status"] == status
    assert b"Traceback" not in body
    return headers


def test_a_review(server):
    status, headers, body = server.post("/validate?timeout=10s")
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["response"]["uid"] == "u-1"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/validate", 200),
        ("/mutate", 200),
        ("/validate/default", 200),
        ("/mutate/default?timeout=30s", 200),
        ("/%76alidate", 200),
        ("/validate?redirect=http://x", 200),
        ("/validate/", 404),
        ("/validate/nope", 404),
        ("/validate/default/more", 404),
        ("/validate/def%2fault", 404),
        ("/validate/%ff", 404),
        ("/validate/%00", 404),
        ("//validate", 404),
        ("/VALIDATE", 404),
        ("/../validate", 404),
        ("/nope", 404),
        ("http://other/validate", 404),
        ("*", 404),
    ],
)
def test_paths_never_redirect(server, path, status):
    answer = only(server.raw(raw("POST", path, TYPE, "Connection: close")))
    assert answer[0] == status
    assert "location" not in answer[1]
    if status != 200:
        is_error(answer, status)


@pytest.mark.parametrize("path", ["/healthz/", "//healthz", "/healthz//", "/metrics/", "/readyz?x=y"])
def test_pages_never_redirect(server, path):
    status, headers, _ = server.get(path)
    assert status in {200, 404}
    assert "location" not in headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_wrong_method(server, method):
    status, headers, body = only(server.raw(raw(method, "/validate", TYPE, "Connection: close", body=b"")))
    assert status == 405
    assert headers["allow"] == "POST"
    assert (body == b"") == (method == "HEAD")


def test_a_method_that_http_does_not_know(server):
    is_error(only(server.raw(raw("FOO", "/validate", TYPE))), 400)


def test_wrong_method_on_a_page(server):
    status, headers, body = server.request("POST", "/healthz")
    headers = is_error((status, headers, body), 405)
    assert "GET" in headers["allow"]


def test_head_of_a_page(server):
    assert server.request("HEAD", "/healthz")[::2] == (200, b"")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["Content-Type: text/plain"],
        ["Content-Type: application/jsonp"],
        ["Content-Type: application/x-www-form-urlencoded"],
        [TYPE, "Content-Encoding: gzip"],
        [TYPE, "Content-Encoding: br"],
    ],
)
def test_wrong_content_type(server, lines):
    is_error(only(server.raw(raw("POST", "/validate", *lines, "Connection: close"))), 415)


@pytest.mark.parametrize("value", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"])
def test_content_type_with_parameters(server, value):
    assert server.post("/validate", Content_Type=value)[0] == 200


def test_gzip_is_not_read(server):
    is_error(server.post("/validate", gzip.compress(BODY), Content_Encoding="gzip"), 415)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b"null", b"\xff", b'{"request": 1}', b"[" * 100000])
def test_not_a_review(server, body):
    is_error(server.post("/validate", body), 400)


def test_our_own_crash_holds_nothing_of_the_object(server):
    answer = server.post("/validate", review("crash", uid="crash-1"))
    is_error(answer, 500)
    line = until(lambda: [each for each in server.lines if each.get("uid") == "crash-1"] or None, 10)[0]
    assert line["message"] == "review failed"
    assert line["error"] == "KeyError"
    assert "webhook_standin.py" in line["at"]
    assert "SECRET-VALUE" not in server.log


def test_too_large_is_read_to_the_end_and_answered(server):
    is_error(server.post("/validate", b" " * (7 * 2**20 + 1)), 413)


def test_too_large_in_chunks(server):
    chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    data = raw("POST", "/validate", TYPE, "Transfer-Encoding: chunked", body=chunk * 8 + b"0\r\n\r\n", length=False)
    is_error(only(server.raw(data)), 413)


def test_far_too_large_is_given_up(server):
    data = raw("POST", "/validate", TYPE, f"Content-Length: {2**40}", body=b" " * 17 * 2**20, length=False)
    answers = parse(server.raw(data))
    assert [answer[0] for answer in answers] in ([413], [])  # a reset may overtake the answer


def test_seven_mebibytes_are_taken(server):
    body = json.loads(review(uid="large-1"))
    body["request"]["object"]["spec"]["pad"] = "x" * (6 * 2**20)
    status, _, answer = server.post("/validate", json.dumps(body).encode())
    assert status == 200
    assert json.loads(answer)["response"]["uid"] == "large-1"


def test_chunked_body(server):
    wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:100], BODY[100:]))
    data = raw("POST", "/validate", TYPE, "Transfer-Encoding: chunked", "Connection: close",
               body=wire + b"0\r\n\r\n", length=False)  # fmt: skip
    assert only(server.raw(data))[0] == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Content-Length: 3", "Content-Length: 4"], 400),
        (["Content-Length: abc"], 400),
        (["Content-Length: " + "9" * 5000], 400),
        (["Transfer-Encoding: chunked", "Content-Length: 3"], 400),
        (["Transfer-Encoding: gzip"], 501),
        (["Bad Header: x"], 400),
        (["X: " + "y" * 20000], 431),
        ([f"X-{number}: y" for number in range(200)], 431),
    ],
)
def test_malformed_heads_are_answered_and_end_the_connection(server, lines, status):
    headers = is_error(only(server.raw(raw("POST", "/validate", TYPE, *lines, body=b"{}{", length=False))), status)
    assert headers["connection"] == "close"


def test_a_long_target(server):
    is_error(only(server.raw(raw("POST", "/" + "a" * 10000, TYPE))), 414)


@pytest.mark.parametrize("data", [b"\x00" * 64 + b"\r\n\r\n", b"GET /\n\n", b"\r\n\r\n\r\n\r\n", b"GET\r\n\r\n"])
def test_garbage(server, data):
    is_error(only(server.raw(data)), 400)


def test_a_body_shorter_than_announced(server):
    data = raw("POST", "/validate", TYPE, f"Content-Length: {len(BODY) + 1}", length=False)
    assert is_error(only(server.raw(data)), 408)["connection"] == "close"


def test_a_body_longer_than_announced_cannot_become_a_request(server):
    data = raw("POST", "/validate", TYPE, f"Content-Length: {len(BODY)}", body=BODY + b"}}}", length=False)
    first, second = parse(server.raw(data))
    assert first[0] == 200
    is_error(second, 400)


def test_unfinished_headers(server):
    is_error(only(server.raw(b"POST /validate HTTP/1.1\r\nHost: x\r\nConte")), 408)


def test_a_client_that_waits_for_a_100(server):
    with server.connect() as sock:
        sock.sendall(raw("POST", "/validate", TYPE, "Expect: 100-continue", f"Content-Length: {len(BODY)}",
                         body=b"", length=False))  # fmt: skip
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(BODY)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([TYPE, f"Content-Length: {2**40}"], 413),
        (["Content-Length: 5"], 415),
        ([TYPE, "Content-Length: x"], 400),
    ],
)
def test_a_client_that_waits_for_a_100_and_is_refused(server, lines, status):
    data = raw("POST", "/validate", "Expect: 100-continue", *lines, body=b"", length=False)
    assert is_error(only(server.raw(data)), status)["connection"] == "close"


def test_pipelined_requests_are_answered_in_order(server):
    data = b"".join(raw("POST", "/validate", TYPE, body=review(uid=f"u-{number}")) for number in range(5))
    data += raw("GET", "/healthz", body=b"") + raw("POST", "/validate", TYPE, "Connection: close")
    answers = parse(server.raw(data))
    assert [json.loads(body)["response"]["uid"] for _, _, body in answers[:5]] == [f"u-{n}" for n in range(5)]
    assert [status for status, _, _ in answers[5:]] == [200, 200]


def test_a_refusal_keeps_the_connection(server):
    data = raw("POST", "/validate", "Content-Type: text/plain") + raw("POST", "/validate", TYPE, "Connection: close")
    assert [answer[0] for answer in parse(server.raw(data))] == [415, 200]


def test_one_byte_at_a_time(server):
    with server.connect() as sock:
        for byte in raw("POST", "/validate", TYPE, "Connection: close")[:300]:
            sock.sendall(bytes([byte]))
        sock.sendall(raw("POST", "/validate", TYPE, "Connection: close")[300:])
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_http_1_0(server):
    data = b"POST /validate HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    status, headers, _ = only(server.raw(data))
    assert (status, headers["connection"]) == (200, "close")


def test_two_connection_headers_are_one_list(server):
    lines = (TYPE, "Connection: close", "Connection: keep-alive")
    status, headers, _ = only(server.raw(raw("POST", "/validate", *lines)))
    assert (status, headers["connection"]) == (200, "close")


@pytest.mark.parametrize(
    "target",
    [
        "/validate?x=%0d%0aLocation:%20http://x",
        "/validate?timeout=%0d%0a",
        "/validate?" + "a=b&" * 1000,
        "/validate?timeout=9999999999h",
        "/validate?timeout=-1s&timeout=x",
        "/validate?timeout=0s",
    ],
)
def test_queries_change_nothing(server, target):
    status, headers, _ = only(server.raw(raw("POST", target, TYPE, "Connection: close")))
    assert status == 200
    assert set(headers) <= {"server", "date", "content-length", "content-type", "connection"}


@pytest.mark.parametrize("path", ["/nope%0d%0aX-Injected:%20y", "/validate/%0d%0aX-Injected:%20y", "/%0aX-Injected:y"])
def test_a_path_cannot_become_a_header(server, path):
    headers = is_error(only(server.raw(raw("POST", path, TYPE, "Connection: close"))), 404)
    assert set(headers) <= {"server", "date", "content-length", "content-type", "connection"}


def test_upgrades_are_ignored(server):
    lines = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "a" * 24,
    )
    with server.connect() as sock:
        sock.sendall(raw("GET", "/validate", *lines, body=b""))
        assert sock.recv(1000).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("framing", ["Content-Length: 3", "Transfer-Encoding: chunked"])
def test_what_follows_an_upgrade_is_not_read(server, framing):
    """Whoever requests another protocol may speak it from then on: nothing more of that connection is HTTP to us."""
    lines = ("Upgrade: h2c", "Connection: Upgrade", framing)
    body = b"abc" if "Length" in framing else b"3\r\nabc\r\n0\r\n\r\n"
    data = raw("POST", "/validate", TYPE, *lines, body=body, length=False) + raw("POST", "/validate", TYPE)
    assert is_error(only(server.raw(data)), 400)["connection"] == "close"


def test_what_follows_a_close_is_not_read(server):
    data = raw("POST", "/validate", TYPE, "Connection: close") + raw("POST", "/validate", TYPE)
    assert only(server.raw(data))[0] == 200


def test_a_flood_of_pipelined_requests_is_cut_short(server):
    statuses = [answer[0] for answer in parse(server.raw(raw("GET", "/nope", body=b"") * 200))]
    assert 0 < len(statuses) < 200
    assert set(statuses) == {404, 503}
    assert statuses[-1] == 503


def test_plain_http_on_the_tls_port_ends(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in read_all(sock)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_versions(server, version):
    context = server.context()
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock,
        context.wrap_socket(sock) as tls,
    ):
        tls.sendall(raw("POST", "/validate", TYPE, "Connection: close"))
        assert tls.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


def test_http_2_is_not_offered(server):
    context = server.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock,
        context.wrap_socket(sock) as tls,
    ):
        assert tls.selected_alpn_protocol() == "http/1.1"


def test_log_lines_cannot_be_forged(server):
    server.post("/validate", review(name='x"}\n{"level":"forged"', uid="forge-1"))
    line = until(lambda: [each for each in server.lines if each.get("uid") == "forge-1"] or None, 10)[0]
    assert line["name"] == 'x"}\n{"level":"forged"'
    assert not any(each.get("level") == "forged" for each in server.lines)


def test_the_page_says_what_this_is(server):
    status, headers, body = server.get("/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert b"gpu-admission" in body
    assert b"<code>default</code>" in body
