"""YAML read by libyaml: the files of all policies together have megabytes, for which PyYAML's own reader takes minutes."""

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text):
    """Return the one document of a text."""
    return yaml.load(text, Loader=_LOADER)


def load_all(text):
    """Yield the documents of a text."""
    return yaml.load_all(text, Loader=_LOADER)
