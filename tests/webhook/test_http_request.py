"""Requests as llhttp and we read them: what is taken, what is refused, and that cuts make no difference."""

import pytest
from gunicorn.asgi.parser import CallbackRequest, PythonProtocol
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_admission.webhook.review.types import JSON, Response
from gpu_admission.webhook.server.http_request import MAX_FIELDS, MAX_HEAD, HttpError, RequestParser, render


class Sink:
    """What a parser finds: (head, body) of each complete request."""

    def __init__(self):
        self.requests = []
        self.heads = []
        self.body = b""

    def on_head(self, head):
        self.heads.append(head)
        self.body = b""

    def on_body(self, data):
        self.body += data

    def on_complete(self):
        self.requests.append((self.heads[-1], self.body))


def read(wire, cuts=()):
    """Feed bytes in pieces; what was found, and the status of the error or None."""
    sink = Sink()
    parser = RequestParser(sink)
    try:
        for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            if begin < end and parser.feed(wire[begin:end]):
                return sink, "upgrade"
    except HttpError as error:
        return sink, error.status
    return sink, None


def head(*lines, first=b"POST /validate HTTP/1.1", host=b"Host: x"):
    return b"\r\n".join([first, *([host] if host else []), *lines]) + b"\r\n\r\n"


def parsed(block):
    sink, error = read(block)
    assert error is None
    return sink.heads[0]


def test_what_the_api_server_sends():
    found = parsed(
        b"POST /validate?timeout=10s HTTP/1.1\r\nHost: x\r\n"
        b"User-Agent: kube-apiserver-admission\r\nContent-Length: 12\r\nAccept: application/json, */*\r\n"
        b"Content-Type:\tapplication/json \t\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    assert (found.method, found.raw_path, found.query, found.path) == (
        "POST",
        b"/validate",
        b"timeout=10s",
        "/validate",
    )
    assert (found.length, found.media, found.close, found.expects) == (12, b"application/json", False, False)


@pytest.mark.parametrize(
    ("lines", "attribute", "value"),
    [
        ([b"Connection: close"], "close", True),
        ([b"connection: Keep-Alive, Close"], "close", True),
        ([b"Connection: keep-alive"], "close", False),
        ([b"Expect: 100-Continue"], "expects", True),
        ([b"Transfer-Encoding: Chunked"], "length", None),
        ([b"Content-Encoding: gzip"], "encoding", b"gzip"),
        ([], "length", 0),
        ([b"Content-Length: 007"], "length", 7),
    ],
)
def test_fields_that_matter(lines, attribute, value):
    assert getattr(parsed(head(*lines)), attribute) == value


def test_http_1_0_closes_and_waits_for_no_100():
    found = parsed(head(b"Expect: 100-continue", first=b"POST / HTTP/1.0", host=b""))
    assert found.close
    assert not found.expects


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (head(b"Content-Length: 1", b"Content-Length: 1"), 400),
        (head(b"Transfer-Encoding: chunked", b"Content-Length: 1"), 400),
        (head(b"Transfer-Encoding: chunked, chunked"), 400),
        (head(b"Transfer-Encoding: xchunked"), 501),
        (head(b"Transfer-Encoding: \x0bchunked"), 400),
        (head(b"Transfer-Encoding : chunked"), 400),
        (head(b"Content-Length: 1 1"), 400),
        (head(b"Content-Length: 99999999999999999"), 400),
        (head(b"Content-Length: 1", b"Transfer-Encoding: chunked"), 400),
        (head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
        (head(b"Transfer-Encoding: gzip, chunked"), 501),
        (head(b"Transfer-Encoding: identity"), 501),
        (head(b"Transfer-Encoding: chunked", first=b"POST / HTTP/1.0"), 400),
        (head(b"Content-Length: +1"), 400),
        (head(b"Content-Length: -1"), 400),
        (head(b"Content-Length: 1_0"), 400),
        (head(b"Content-Length: 0x10"), 400),
        (head("Content-Length: ١".encode()), 400),
        (head(b"Content-Length: 1, 1"), 400),
        (head(b"Content-Length:"), 400),
        (head(b"Content-Length: " + b"9" * 5000), 400),
        (head(b"Content-Type: application/json", b"content-type: text/plain"), 400),
        (head(b"Host: y"), 400),
        (head(host=b""), 400),
        (head(b"Content-Length : 1"), 400),
        (head(b" folded"), 400),
        (head(b"X: a", b" folded"), 400),
        (head(b"X: a", b"\tfolded"), 400),
        (head(b"Transfer-Encoding:", b" chunked"), 400),
        (head(b"X: a\rb"), 400),
        (head(b"X: a\x7fb"), 400),
        (head(b"X: a\x01b"), 400),
        (head(b"X\x00: a"), 400),
        (head(b"X(: a"), 400),
        (head("X\u00e9: a".encode()), 400),
        (b"POST / HTTP/1.1\nHost: x\n\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\n\r\n", 400),
        (b"\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\n\n\nPOST / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b" POST / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (head(b"No-Colon"), 400),
        (head(b"X: a\x00b"), 400),
        (head(b"X: a\nb"), 400),
        (head(b": empty"), 400),
        (head(first=b"POST /a b HTTP/1.1"), 400),
        (head(first=b"POST  / HTTP/1.1"), 400),
        (head(first=b"POST /  HTTP/1.1"), 400),
        (head(first=b"POST\t/ HTTP/1.1"), 400),
        (head(first=b"POST / HTTP/1.1 "), 400),
        (head(first=b"POST / http/1.1"), 400),
        (head(first=b"post / HTTP/1.1"), 400),
        (head(first=b"FOO / HTTP/1.1"), 400),
        (head(first=b"SETUP / RTSP/1.0"), 400),
        (head(first=b"SOURCE / ICE/1.0"), 400),
        (head(first=b"POST / HTTP/2.0"), 400),
        (head(first=b"POST / HTTP/0.9"), 400),
        (head(first=b"POST / HTTP/1.2"), 400),
        (head(first=b"POST validate HTTP/1.1"), 400),
        (head(first=b"POST / HTTP/1.10"), 400),
        (head(first="POST /é HTTP/1.1".encode()), 400),
        (head(first=b"PO\x00ST / HTTP/1.1"), 400),
        (head(first=b"\x16\x03\x01"), 400),
        (head(first=b"POST /" + b"a" * 9000 + b" HTTP/1.1"), 414),
        (head(*[b"X-%d: y" % number for number in range(MAX_FIELDS)]), 431),
        (head(b"X: " + b"y" * MAX_HEAD), 431),
        (head(b"X: " + b"y" * (MAX_HEAD // 2), b"Y: " + b"y" * (MAX_HEAD // 2)), 431),
        (b"POST / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD, 431),
        (b"POST /" + b"y" * MAX_HEAD, 414),
    ],
)
def test_what_is_refused(block, status):
    sink, error = read(block)
    assert error == status
    assert not sink.heads


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\n",
        b"-1\r\n",
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n",
        b"1\na\n",
        b"fffffffffffffffff\r\n",
        b"\r\n",
        b"1" * 300,
        b"3;a=\x00b\r\nabc\r\n",
        b"3;a\nabc\r\n",
        b"0\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"0\r\nContent-Length: 4\r\n\r\n",
        b"0\r\n folded\r\n\r\n",
    ],
)
def test_malformed_chunks_are_refused(wire):
    sink, error = read(head(CHUNKED) + wire)
    assert error == 400
    assert not sink.requests


@pytest.mark.parametrize("wire", [b"a: b\r\n" * 200, b"a: " + b"x" * 20_000 + b"\r\n"])
def test_an_endless_trailer_is_refused(wire):
    assert read(head(CHUNKED) + b"0\r\n" + wire + b"\r\n")[1] == 431


def test_a_trailer_is_not_a_header():
    sink, error = read(head(CHUNKED) + b"3\r\nabc\r\n0\r\nHost: y\r\nContent-Type: text/plain\r\n\r\n")
    assert error is None
    assert sink.requests[0][0].fields == [(b"host", b"x"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("blank", [b"\r\n", b"\n"])
def test_one_blank_line_before_a_request_is_skipped(blank):
    sink, error = read(blank + head() + blank + head())
    assert (len(sink.requests), error) == (2, None)


def test_a_drip_of_blank_lines_is_refused():
    assert read(b"\r\n" * 3, cuts=range(1, 6))[1] == 400


UPGRADES = {
    "without a body": head(b"Connection: Upgrade", b"Upgrade: websocket", first=b"GET / HTTP/1.1"),
    "with one": head(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 3") + b"abc",
    "in chunks": head(b"Connection: Upgrade", b"Upgrade: h2c", CHUNKED) + b"3\r\nabc\r\n0\r\n\r\n",
    "connect": head(first=b"CONNECT a:1 HTTP/1.1"),
}


@pytest.mark.parametrize("wire", UPGRADES.values(), ids=UPGRADES)
def test_after_an_upgrade_nothing_is_read(wire):
    sink, error = read(wire + head())
    assert error == "upgrade"
    assert len(sink.requests) == 1


TOKENS = st.sampled_from(
    [
        "POST",
        "GET",
        "/validate",
        "/a%2fb",
        "*",
        "http://h/p",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/1.2",
        "Host:",
        "x",
        "Content-Length:",
        "0",
        "5",
        "+5",
        "5,5",
        "Transfer-Encoding:",
        "chunked",
        "identity",
        "Connection:",
        "close",
        "Content-Type:",
        "application/json",
        "é",
        "\x00",
        "\t",
        ":",
        "\r",
        "\n",
    ]
)
LINE = st.lists(TOKENS, min_size=1, max_size=4).map(" ".join)


def by_gunicorn(block):
    parser = PythonProtocol(limit_request_line=8190)
    try:
        parser.feed(block)
        request = CallbackRequest.from_parser(parser)
    except Exception:  # noqa: BLE001 - any refusal
        return None
    return request.method, request.raw_path, parser.content_length or 0, parser.is_chunked


def outcome(wire, cuts=()):
    sink, error = read(wire, cuts)
    return [(each.method, each.raw_path, each.fields, body) for each, body in sink.requests], error


WIRES = [
    head(b"Content-Length: 3")
    + b"abc"
    + head(CHUNKED)
    + b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n"
    + head(first=b"GET /2 HTTP/1.1"),
    head(b"Connection: close") + head(),
    b"\r\n" + head(b"Content-Length: 0") + b"\r\n" + head(first=b"POST  / HTTP/1.1"),
    head(first=b"POST  / HTTP/1.1"),
    head(first=b"POST /" + b"a" * 9000 + b" HTTP/1.1"),
    head(b"Content-Length: 3") + b"abc" + head(b"Content-Length: 1", CHUNKED),
    head(*[b"X-%d: y" % number for number in range(101)]),
    *(wire + head() for wire in UPGRADES.values()),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WIRES), st.data())
def test_cuts_make_no_difference(wire, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    assert outcome(wire, cuts) == outcome(wire)


@pytest.mark.parametrize("wire", WIRES[:4])
def test_one_byte_at_a_time(wire):
    assert outcome(wire, range(1, len(wire))) == outcome(wire)


def test_a_head_after_a_large_body_in_the_same_read():
    body = b"x" * 100_000
    wire = head(b"Content-Length: %d" % len(body)) + body + head(b"X: " + b"y" * 15_000)
    for cut in (len(wire) - 10_000, len(wire) - 15_100, len(wire) - 3):
        sink, error = read(wire, [cut])
        assert (len(sink.requests), error) == (2, None)
    assert read(wire[:-4] + b"y" * 40_000, [len(wire) - 10_000])[1] == 431


@settings(max_examples=300, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=4))
def test_takes_nothing_that_gunicorns_parser_refuses_or_frames_otherwise(lines):
    block = "\r\n".join(lines).encode() + b"\r\n\r\n"
    sink, _ = read(block)
    if not sink.heads:
        return
    found = sink.heads[0]
    theirs = by_gunicorn(block)
    if theirs is None:  # stricter than us only about targets and methods, which route to 404 and 405
        assert found.raw_path[:1] != b"/" or not 3 <= len(found.method) <= 20
        return
    assert theirs == (found.method, found.raw_path, found.length or 0, found.length is None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.data())
def test_chunks_arrive_whole_however_they_are_cut(parts, data):
    wire = b"".join(b"%X;a=b\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nTrailer: x\r\n\r\n"
    wire = head(CHUNKED) + wire + head()
    sink, error = read(wire, sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6))))
    assert error is None
    assert [body for _, body in sink.requests] == [b"".join(parts), b""]


def test_an_answer_on_the_wire():
    answer = Response(503, b"no\n", (*JSON, (b"retry-after", b"1")))
    assert render(answer, b"date: D\r\n", close=True) == (
        b"HTTP/1.1 503 Service Unavailable\r\nserver: gpu-admission\r\ndate: D\r\ncontent-length: 3\r\n"
        b"content-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\r\nno\n"
    )
    assert render(answer, b"", close=False, bodiless=True).endswith(b"retry-after: 1\r\n\r\n")


@pytest.mark.parametrize("where", ["on_head", "on_body", "on_complete"])
def test_our_own_bug_is_not_taken_for_a_malformed_request(where):
    def broken(*_):
        raise ZeroDivisionError

    sink = Sink()
    setattr(sink, where, broken)
    with pytest.raises(ZeroDivisionError):
        RequestParser(sink).feed(head(b"Content-Length: 3") + b"abc")
