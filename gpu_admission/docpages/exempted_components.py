"""The exemptions of a shipped policy, written from the facts of its backend into the file between two comments."""

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
  # namespace of these that does not exist is exempt for whoever may create it, and an account for whoever may create
  # its namespace: let nobody but administrators create namespaces with these names, and delete what your cluster does
  # not run.
"""
_USERS = """\
    # They write on pods which card those get, which GPU307 refuses to everybody else, or create pods of their own.
    # These are the names that their own installations give; write yours. Never a controller that creates pods of users:
    # what such an account creates is not looked at at all.
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
    """Return a policy file with the block as it should be; unchanged where the file has none.

    Raises ValueError where only one of the two comments stands in it.
    """
    if (text.count(BEGIN), text.count(END)) == (0, 0):
        return text
    if (text.count(BEGIN), text.count(END)) != (1, 1):
        raise ValueError("the exemptions of a shipped policy stand between two comments, each of them once")
    before, _, rest = text.partition(BEGIN)
    return before + block(backend) + rest.partition(END)[2]
