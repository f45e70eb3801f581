"""The exemptions of a shipped policy, generated from the facts of its backend, between two comments of the file."""

from __future__ import annotations

from gpu_admission.backends import components

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_admission.backends.base import Backend

BEGIN = (
    "  # Exemptions, from the facts of the backend and of the vendors it serves (docs/backends.md has their sources):\n"
)
END = "  # End of the exemptions.\n"
_WHY = """\
  # device plugins, operators and schedulers mount devices and set NVIDIA_VISIBLE_DEVICES as part of their work. A
  # namespace of these that does not exist yet is exempt once it is created, and so are its accounts: allow only
  # administrators to create namespaces with these names, and delete the entries that your cluster does not need.
"""
_USERS = """\
    # They annotate pods with the cards that they get, which GPU307 refuses for all others, or create their own pods.
    # These are the names of the default installations; write yours. Never exempt a controller that creates users' pods:
    # what such an account creates is not checked.
"""


def block(backend: Backend) -> str:
    """Return the block for a policy of this backend, comments included."""
    namespaces, users = components.exemptions(backend)
    text = f"{BEGIN}{_WHY}  exempt:\n    namespaces:\n{_rows(namespaces)}"
    if users:
        text += f"{_USERS}    users:\n{_rows(users)}"
    return text + END


def _rows(names: Mapping[str, str]) -> str:
    width = max(map(len, names))
    return "".join(f"      - {name.ljust(width)}  # {what}\n" for name, what in names.items())


def written(text: str, backend: Backend) -> str:
    """Return a policy file with the block generated; unchanged where the file has none.

    Raises ValueError where it contains only one of the two comments.
    """
    if (text.count(BEGIN), text.count(END)) == (0, 0):
        return text
    if (text.count(BEGIN), text.count(END)) != (1, 1):
        raise ValueError("the exemptions of a shipped policy must be between two comments, each of them once")
    before, _, rest = text.partition(BEGIN)
    return before + block(backend) + rest.partition(END)[2]
