"""Write the digest of a pushed image into kustomization.yaml beside this file, for every overlay.

    python deploy/image/pin.py DIGESTS IMAGE

DIGESTS is what `docker image inspect` lists, NAME@sha256:... a line, one for each registry that it was pushed to;
IMAGE (REGISTRY/NAME, with or without a tag) says which of them is meant.
"""

import pathlib
import re
import sys

FILE = pathlib.Path(__file__).with_name("kustomization.yaml")


def pinned(text: str, digests: str, image: str) -> str:
    """Return the text with the name and the digest of the image in it. Raises ValueError."""
    name = re.sub(r":[\w.-]+$", "", image)
    short = re.sub(r"^docker\.io/(library/)?", "", name)
    for line in digests.split():
        found, _, digest = line.partition("@")
        if found in {name, short} and re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            entry = f"  - name: gpu-admission\n    newName: {name}\n    digest: {digest}\n"
            return text[: text.index("  - name:")] + entry
    raise ValueError(f"no digest of {name}: was it pushed?")


def main() -> int:
    """Write the file, and say so."""
    if len(sys.argv) != 3:
        print("usage: pin.py DIGESTS IMAGE", file=sys.stderr)
        return 2
    try:
        text = pinned(FILE.read_text(encoding="utf-8"), *sys.argv[1:])
    except ValueError as error:
        print(f"pin.py: {error}", file=sys.stderr)
        return 1
    FILE.write_text(text, encoding="utf-8")
    print(f"wrote {FILE}: commit it, or keep it in an overlay of yours")
    return 0


if __name__ == "__main__":
    sys.exit(main())
