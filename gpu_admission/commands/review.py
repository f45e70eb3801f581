"""``gpu-admission review``: answer an AdmissionReview from a file or standard input, without a server."""

from __future__ import annotations

import json
import sys

from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

_LARGEST = 7 << 20  # bytes; the server's limit


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``review``; `run` takes what it parses."""
    review = subparsers.add_parser("review", help="answer one AdmissionReview, without a server")
    review.add_argument("-p", "--policy", default="default", metavar="NAME|FILE", help="the policy [default]")
    endpoint = review.add_mutually_exclusive_group()
    endpoint.add_argument(
        "--mutate", dest="endpoint", action="store_const", const="mutate", help="answer as /mutate would"
    )
    endpoint.add_argument(
        "--validate", dest="endpoint", action="store_const", const="validate", help="answer as /validate would [this]"
    )
    review.set_defaults(endpoint="validate")
    review.add_argument("file", metavar="FILE", nargs="?", default="-", help="a JSON file, - for standard input [-]")


def run(options: argparse.Namespace) -> int:
    """Print the answer; return 0 where it allows, 1 where it denies, 2 where there is no review to answer."""
    try:
        policy = loader.load(options.policy)
        body = _body(options.file)
    except (loader.PolicyError, ValueError) as error:
        print(f"gpu-admission review: {error}", file=sys.stderr)
        return 2
    answer = Decider(lambda _: policy)(body, options.endpoint)
    if answer.status != 200:
        print(f"gpu-admission review: {options.file}: {json.loads(answer.body)['error']}", file=sys.stderr)
        return 2
    review = json.loads(answer.body)
    json.dump(review, sys.stdout, indent=2)
    print()
    return 0 if review["response"]["allowed"] else 1


def _body(path: str) -> bytes:
    if path == "-":
        body = sys.stdin.buffer.read(_LARGEST + 1)
    else:
        try:
            with open(path, "rb") as file:
                body = file.read(_LARGEST + 1)
        except OSError as error:
            raise ValueError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(body) > _LARGEST:
        raise ValueError(f"{path}: larger than the 7 MiB that the webhook accepts")
    return body
