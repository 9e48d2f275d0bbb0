"""What is wrong in params.yaml, a line for each parameter: its name, its value, and what it may be."""

from collections.abc import Callable
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from fer.config.network import Network
from fer.config.settings import Settings
from fer.errors import UserError

UNION_BRANCHES = {"constrained-int", "int", "float", "str", "bool"}  # pydantic names them in an error's place
NETWORK_TYPES = [get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(get_args(Network)[0])]
MESSAGES = {  # in place of pydantic's, which speak of Python
    "missing": "not given",
    "extra_forbidden": "no such parameter",
    "tuple_type": "must be a list",
    "dict_type": "must be a block of parameters",
    "model_type": "must be a block of parameters",
    "too_short": "at least one is needed",
}


class ParamsError(UserError):
    """params.yaml holds something that it may not hold; the message names each parameter."""


def validated(kind: Any, value: Any, place: str = "") -> Any:
    """Return the value as that kind. Raise ParamsError, a line for each parameter that is wrong, `place` before it."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ParamsError("\n".join(explain(error, place))) from None


def problems(check: Callable[..., object], *arguments: object) -> list[str]:
    try:
        check(*arguments)
    except ParamsError as error:
        return str(error).splitlines()
    return []


def explain(error: ValidationError, place: str = "") -> list[str]:
    """Return a line for each wrong parameter: `place` and its dotted name, its value, what it may be."""
    lines = []
    for one in error.errors():
        if one["type"] == "too_short" and one["input"]:
            continue  # its items are wrong, and have their own lines
        parts = [str(part) for part in one["loc"] if str(part) not in UNION_BRANCHES and "[" not in str(part)]
        if parts[:1] == ["network"]:
            parts = [part for part in parts if part not in NETWORK_TYPES]
        lines += line_of(one, (place + ".".join(parts)).rstrip(".")).splitlines()
    return lines


def line_of(error: Any, name: str) -> str:
    kind, value, message = error["type"], error["input"], error["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        shown = "" if isinstance(value, dict | Settings) else f"{value!r}: "  # a block is too much
        return f"{name}: {shown}{message}" if name else message
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        said = f"{error['ctx']['tag']!r}:" if "tag" in error["ctx"] else "not given;"
        return f"{name}.type: {said} allowed: {', '.join(NETWORK_TYPES)}"
    if kind in ("missing", "extra_forbidden"):
        return f"{name}: {MESSAGES[kind]}"
    message = MESSAGES.get(kind, message)
    return f"{name}: {value!r}: {message[0].lower()}{message[1:]}"
