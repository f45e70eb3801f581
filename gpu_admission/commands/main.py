"""``gpu-admission``: one parser, and one module per command.

A command's module is imported only when the command is called: most need libraries that the others do not.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys

from gpu_admission import __version__
from gpu_admission.core.typos import did_you_mean

from .one_line_parser import OneLineParser

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from types import ModuleType

PROGRAM = "gpu-admission"

# name -> module with add_parser(subparsers) and run(args) -> exit code, and its line in --help
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("gpu_admission.commands.serve", "the webhook server"),
    "review": ("gpu_admission.commands.review", "answer one AdmissionReview, without a server"),
    "mutate": ("gpu_admission.lint.mutate", "show what the cluster would run"),
    "translate": ("gpu_admission.lint.translate", "rewrite gpu-mem requests for another sharing backend"),
    "manifests": ("gpu_admission.commands.manifests", "webhook configurations and RBAC for a policy"),
    "certs": ("gpu_admission.commands.certs", "CA, serving certificate and caBundle of the webhook"),
    "probe": ("gpu_admission.commands.probe", "let the cluster judge a good and a bad pod, without creating them"),
    "policy": ("gpu_admission.commands.policies", "list, show, check and draft policies"),
    "audit": ("gpu_admission.commands.audit", "what admission would deny, repair or warn about in the cluster"),
    "inspect": ("gpu_admission.commands.inspect_gpus", "GPUs by node and card, and the pods that use them"),
    "completion": ("gpu_admission.commands.completion", "completion for a shell"),
    "demo": ("gpu_admission.commands.demo", "see it work, on this machine only"),
}

# The library whose absence means that an extra was not installed.
EXTRAS = {
    "flask": "webhook",
    "httptools": "webhook",
    "msgspec": "webhook",
    "gunicorn": "webhook",
    "cryptography": "webhook",
    "prometheus_client": "webhook",
    "uvloop": "webhook",
    "kubernetes": "cluster",
    "rich": "cluster",
    "shtab": "completion",
}
# Commands that need one extra, whichever of its libraries is found missing first.
EXTRA_OF: dict[str, str] = {"audit": "cluster", "inspect": "cluster", "policy": "cluster"}


def main(argv: Sequence[str], prog: str = PROGRAM) -> int:
    """Run a command; return its exit code, 2 for wrong usage."""
    command = next((word for word in argv if not word.startswith("-")), None)
    try:
        module = importlib.import_module(COMMANDS[command][0]) if command in COMMANDS else None
        modules = {command: module} if command and module else {}
        parser = _parser(modules, prog)
        _check_command(parser, argv)
        options = parser.parse_args(argv)
        status = int(module.run(options)) if module is not None else 2
        if sys.stdout is not None:
            sys.stdout.flush()  # an error is reported here, not by the interpreter when it exits
        return status  # noqa: TRY300 - the flush belongs to the run
    except ModuleNotFoundError as error:
        return _missing(command or "", error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # or the interpreter reports the same pipe again when it exits
        return 141
    except OSError as error:
        return _failed(prog, error)


def _failed(prog: str, error: OSError) -> int:
    """Report an error of input or output that the command did not handle, such as a full disk."""
    about = f"{error.filename}: " if error.filename is not None else ""
    print(f"{prog}: {about}{(error.strerror or str(error)).lower()}", file=sys.stderr)
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter fails again when it exits
    return 2


def _check_command(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """End with one line where no command, or an unknown one, comes first."""
    first = argv[0] if argv else ""
    if first in COMMANDS or first in {"-h", "--help", "--version"}:
        return
    if first.startswith("-"):
        parser.error(f"a command comes before its flags: {parser.prog} COMMAND {first} …")
    parser.error(
        f"there is no command {first!r}{did_you_mean(first, list(COMMANDS))}" if first else "a command is missing"
    )


def complete_parser() -> argparse.ArgumentParser:
    """Return the parser with the flags of every command whose libraries are installed."""
    modules = {}
    for name, (path, _) in COMMANDS.items():
        try:
            modules[name] = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in EXTRAS:
                raise
    return _parser(modules)


def command_parser(name: str | None) -> argparse.ArgumentParser:
    """Return the parser with the flags of one command, where its libraries are installed."""
    try:
        modules = {name: importlib.import_module(COMMANDS[name][0])} if name else {}
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRAS:
            raise
        modules = {}
    return _parser(modules)


def _parser(modules: Mapping[str, ModuleType], prog: str = PROGRAM) -> OneLineParser:
    """Return the parser of all commands, with the flags of those whose modules are given."""
    parser = OneLineParser(
        prog=prog,
        description="GPU resource rules for Kubernetes: the admission webhook and its tools. See also gpu-lint.",
    )
    parser.add_argument("--version", action="version", version=f"gpu-admission {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, value) in COMMANDS.items():
        if name in modules:
            modules[name].add_parser(commands)
        else:
            commands.add_parser(name, help=value)
    return parser


def _missing(command: str, error: ModuleNotFoundError) -> int:
    library = (error.name or "").partition(".")[0]
    if library not in EXTRAS:
        raise error
    extra = EXTRA_OF.get(command, EXTRAS[library])
    print(
        f"gpu-admission {command} needs {library}, which is not installed: pip install 'gpu-admission[{extra}]'",
        file=sys.stderr,
    )
    return 2


def entry() -> None:
    """Run as the console script ``gpu-admission``."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entry()
