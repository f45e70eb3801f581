"""Messages of YAML and JSON parsers -> messages that do not depend on the parser.

libyaml, PyYAML's parser in Python and the json module have different messages for the same mistake, which may change
with each release: messages to users, baselines and tests must not depend on which one is installed. A message that is
not in these tables is passed on, marked as the parser's.

The tables follow libyaml 0.2.5 and 0.2.6 (reader.c, scanner.c, parser.c), PyYAML 6.0 (reader.py, scanner.py,
parser.py) and json.decoder of Python 3.11 to 3.14. Imported only for syntax errors.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# (part of the problem, part of its context, message); the first row with both parts applies.
_YAML: Final = (
    ("maximum nesting depth", "", "nested deeper than {depth} levels"),
    ("mapping values are not allowed", "", "unexpected ':' here (quote a string that contains ': ')"),
    ("mapping keys are not allowed", "", "unexpected '? ' here"),
    ("sequence entries are not allowed", "", "unexpected '- ' here (a list begins on a line of its own)"),
    ("cannot start any token", "", "unexpected character {character}: quote a string that starts with it"),
    ("tab character", "", "a tab cannot be used for indentation"),
    ("could not find expected ':'", "", "expected ':' after this key"),
    ("unexpected ':'", "", "unexpected ':' in a plain string (quote it)"),
    ("',' or ']'", "", "expected ',' or ']' in this list"),
    ("',' or '}'", "", "expected ',' or '}' in this mapping"),
    ("node content", "", "expected a value"),
    ("document start", "", "expected '---' or the end of the file"),
    ("expected key", "", "expected a key at the indentation of this mapping"),
    ("block end", "block mapping", "expected a key at the indentation of this mapping"),
    ("'-' indicator", "", "expected '- ' at the indentation of this list"),
    ("block end", "block collection", "expected '- ' at the indentation of this list"),
    ("unexpected end of stream", "", "this quoted string is not closed before the end of the file"),
    ("unexpected document", "", "this quoted string is not closed before the end of the document"),
    ("unknown escape character", "", "unknown escape sequence in a double-quoted string"),
    ("hexdecimal number", "", "invalid escape sequence in a double-quoted string"),
    ("hexadecimal numbers", "quoted", "invalid escape sequence in a double-quoted string"),
    ("invalid unicode character escape", "", "an escape sequence that is not a Unicode character"),
    ("indentation ind", "block scalar", "invalid indicator after '|' or '>'"),
    ("comment or line break", "block scalar", "invalid indicator after '|' or '>'"),
    ("comment or a line break", "block scalar", "invalid indicator after '|' or '>'"),
    ("alphabetic or numeric", "anchor", "expected a name after '&'"),
    ("alphabetic or numeric", "alias", "expected a name after '*'"),
    ("undefined tag handle", "", "undefined tag handle"),
    ("incompatible yaml document", "", "a version of YAML other than 1.x"),
    ("duplicate", "", "this directive is given twice"),
    ("", "directive", "invalid directive"),
    ("unknown directive", "", "invalid directive"),
    ("", "tag", "invalid tag"),
    ("control characters are not allowed", "", "a control character cannot be used in YAML"),
    ("special characters are not allowed", "", "a control character cannot be used in YAML"),
)

# Beginnings of messages of the json module.
_JSON: Final = (
    ("Expecting value", "expected a value"),
    ("Expecting property name", "expected a key in double quotes"),
    ("Expecting ':'", "expected ':' after the key"),
    ("Expecting ','", "expected ',' or the closing bracket"),
    ("Illegal trailing comma", "unexpected ',' before the closing bracket"),
    ("Extra data", "expected the end of the file"),
    ("Unterminated string", "this string is not closed"),
    ("Invalid control character", "a control character in a string must be escaped"),
    ("Invalid \\", "invalid escape sequence in a string"),
)


def yaml_message(problem: str, context: str, character: str, depth: int) -> str:
    """Return the message for an error of a YAML parser.

    `character` is the one at which it stopped ("" at the end), `depth` the nesting limit.
    """
    folded, around = problem.lower(), context.lower()
    for part, part_of_context, message in _YAML:
        if part in folded and part_of_context in around:
            if part == "cannot start any token" and character == "\t":
                return "a tab cannot be used for indentation"
            return message.replace("{character}", ascii(character)).replace("{depth}", str(depth))
    return f"invalid YAML ({' '.join(f'{problem} {context}'.split())})"


def json_message(problem: str) -> str:
    """Return the message for an error of the json module (JSONDecodeError.msg)."""
    for start, message in _JSON:
        if problem.startswith(start):
            return f"not JSON: {message}"
    return f"not JSON: {problem}"
