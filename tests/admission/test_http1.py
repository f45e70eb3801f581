import pytest
from gunicorn.asgi.parser import CallbackRequest, PythonProtocol
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_admission.admission.http1 import Chunks, Refusal, parse_head, render
from gpu_admission.admission.seam import JSON, Answer

POST = b"POST /validate?timeout=10s HTTP/1.1\r\nHost: x\r\n"


def head(*lines, first=b"POST /validate HTTP/1.1", host=b"Host: x"):
    return b"\r\n".join([first, *([host] if host else []), *lines]) + b"\r\n\r\n"


def test_what_the_api_server_sends():
    found = parse_head(
        POST + b"User-Agent: kube-apiserver-admission\r\nContent-Length: 12\r\nAccept: application/json, */*\r\n"
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
    assert getattr(parse_head(head(*lines)), attribute) == value


def test_http_1_0_closes_and_waits_for_no_100():
    found = parse_head(head(b"Expect: 100-continue", first=b"POST / HTTP/1.0", host=b""))
    assert found.close
    assert not found.expects


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (head(b"Content-Length: 1", b"Content-Length: 1"), 400),
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
        (head(b"No-Colon"), 400),
        (head(b"X: a\x00b"), 400),
        (head(b"X: a\nb"), 400),
        (head(b": empty"), 400),
        (head(first=b"POST /a b HTTP/1.1"), 400),
        (head(first=b"POST  / HTTP/1.1"), 400),
        (head(first=b"POST / HTTP/2.0"), 400),
        (head(first=b"POST / HTTP/1.10"), 400),
        (head(first="POST /é HTTP/1.1".encode()), 400),
        (head(first=b"PO\x00ST / HTTP/1.1"), 400),
        (head(first=b"\x16\x03\x01"), 400),
        (head(first=b"POST /" + b"a" * 9000 + b" HTTP/1.1"), 414),
        (head(*[b"X-%d: y" % number for number in range(101)]), 431),
    ],
)
def test_what_is_refused(block, status):
    with pytest.raises(Refusal) as refused:
        parse_head(block)
    assert refused.value.status == status
    assert b"\n" not in refused.value.answer.body[:-1]


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


@settings(max_examples=300, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=4))
def test_takes_nothing_that_gunicorns_parser_refuses_or_frames_otherwise(lines):
    block = "\r\n".join(lines).encode() + b"\r\n\r\n"
    try:
        found = parse_head(block)
    except Refusal:
        return
    theirs = by_gunicorn(block)
    if theirs is None:  # stricter than us only about targets and methods, which route to 404 and 405
        assert found.raw_path[:1] != b"/" or not 3 <= len(found.method) <= 20
        return
    assert theirs == (found.method, found.raw_path, found.length or 0, found.length is None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.data())
def test_chunks_arrive_whole_however_they_are_cut(parts, data):
    wire = b"".join(b"%X;a=b\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nTrailer: x\r\n\r\nNEXT"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    chunks = Chunks()
    got = b""
    for begin, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        got += chunks.feed(wire[begin:end])
    assert chunks.done
    assert got == b"".join(parts)
    assert chunks.rest == b"NEXT"


@pytest.mark.parametrize(
    "wire",
    [
        b"x\r\n",
        b"-1\r\n",
        b"1\r\nab\r\n",
        b"1\na\n",
        b"123456789\r\n",
        b"\r\n",
        b"1" * 300,
        b"0\r\n" + b"a: b\r\n" * 200,
    ],
)
def test_malformed_chunks_are_refused(wire):
    with pytest.raises(Refusal):
        Chunks().feed(wire)


def test_an_endless_trailer_is_refused():
    chunks = Chunks()
    chunks.feed(b"0\r\n")
    with pytest.raises(Refusal):
        [chunks.feed(b"x" * 1000) for _ in range(100)]


def test_an_answer_on_the_wire():
    answer = Answer(503, b"no\n", (*JSON, (b"retry-after", b"1")))
    assert render(answer, b"date: D\r\n", close=True) == (
        b"HTTP/1.1 503 Service Unavailable\r\nserver: gpu-admission\r\ndate: D\r\ncontent-length: 3\r\n"
        b"content-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\r\nno\n"
    )
    assert render(answer, b"", close=False, bodiless=True).endswith(b"retry-after: 1\r\n\r\n")
