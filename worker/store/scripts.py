"""The Lua scripts that run in Redis. Each says at its head what its KEYS, ARGV and answers are.

A script that is called by `call` knows its keys by name: `key.inbox`, or `key.outlets[2]` of a list. What stands at
which place of KEYS is nobody's to count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

_PRELUDE = """\
local key, at = {}, 0
for name, list, count in string.gmatch(table.remove(ARGV), '([^ *]+)(%*?)(%d*)') do
  if list == '' then
    at = at + 1
    key[name] = KEYS[at]
  else
    key[name] = {}
    for number = 1, tonumber(count) do key[name][number] = KEYS[at + number] end
    at = at + tonumber(count)
  end
end
local function wants(kind, name)
  local found = redis.call('TYPE', name).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. name .. ' is a ' .. found .. ', expected a ' .. kind)
  end
end
"""
"""Takes the names of the keys off the end of ARGV. `wants` answers the error of a key of the wrong kind."""


@cache
def script(name: str) -> str:
    """The text of one of the Lua scripts beside this module."""
    return files("worker.store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


@cache
def named(name: str) -> str:
    """As `script`, of one whose keys have names: to be called with what `call` answers."""
    first, _, rest = script(name).partition("\n")
    return f"{first}\n{_PRELUDE}{rest}" if first.startswith("#!") else f"{_PRELUDE}{first}\n{rest}"


def call(keys: Mapping[str, str | Sequence[str]], *arguments: str | bytes | int) -> list[str | bytes | int]:
    """What follows the script in EVAL: the number of keys, the keys, the arguments, and last the keys' names."""
    flat: list[str | bytes | int] = []
    names: list[str] = []
    for name, found in keys.items():
        if isinstance(found, str):
            flat.append(found)
            names.append(name)
        else:
            flat += found
            names.append(f"{name}*{len(found)}")
    return [len(flat), *flat, *arguments, " ".join(names)]
