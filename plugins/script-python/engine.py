"""The engine of Python scripts: runs a site's script as a hook. Built by componentize-py for the world `script` of wit/."""

import builtins
import io
import random
import sys

# What a script may import: frozen into the image with this module, since there are no files at run time.
import abc, array, ast, base64, binascii, bisect, calendar, collections, configparser, contextlib, copy, csv, dataclasses  # noqa: E401,F401
import cmath, datetime, decimal, difflib, enum, fnmatch, fractions, functools, gc, hashlib, heapq, hmac, html, inspect  # noqa: E401,F401
import ipaddress, itertools, json, keyword, logging, math, numbers, operator, pprint, re, secrets, shlex  # noqa: E401,F401
import statistics, string, struct, textwrap, time, traceback, types, typing, unicodedata, urllib.parse, uuid  # noqa: E401,F401
import weakref, zlib  # noqa: E401,F401

import windlass
import wit_world
import wit_world.exports
import wit_world.exports.lines  # noqa: F401
import wit_world.exports.script_api  # noqa: F401
from componentize_py_types import Err
from wit_world.imports import events, types as wit_types  # noqa: F401

WITHOUT = {
    "asyncio": "a script does one thing after the other: call time.sleep to wait",
    "ctypes": "a script has no machine code of its own",
    "http": "a script has no network: name an http command in the profile, and run it",
    "multiprocessing": "a script has no processes: name a command in the profile, and run it",
    "os": "a script has no files, processes or environment: it has nodes, commands and files by name",
    "pathlib": "a script has no files of its own: use node(NAME).read(FILE)",
    "requests": "a script has no network: name an http command in the profile, and run it",
    "select": "a script has no network: name an http command in the profile, and run it",
    "shutil": "a script has no files of its own: use node(NAME).read(FILE) and .put(FILE, …)",
    "socket": "a script has no network: name an http command in the profile, and run it",
    "ssl": "a script has no network: node(NAME).served(ENDPOINT) returns a certificate that is served",
    "subprocess": "a script has no processes: name a command in the profile, and use node(NAME).run(COMMAND)",
    "tempfile": "a script has no files of its own: use state[NAME] for small values",
    "threading": "a script does one thing after the other",
    "urllib.request": "a script has no network: name an http command in the profile, and run it",
}


class _Without:
    """Finds no module, and says what there is in its place."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        why = WITHOUT.get(name) or WITHOUT.get(name.partition(".")[0]) or "scripts have Python's own modules that need no files, network or processes"
        raise ModuleNotFoundError(f"there is no module {name} here: {why}", name=name)


def _open(file, *_, **__):
    raise PermissionError(
        f"a script has no files of its own, so {file!r} cannot be opened: files of a node that the profile names are "
        "read with node(NAME).read(FILE)"
    )


def _input(*_):
    raise PermissionError("a script has no terminal: use confirm(QUESTION, IMPACT), or parameters of its [[hooks]]")


def _close() -> None:
    """The sandbox has none of this anyway; here it is said in a sentence."""
    sys.meta_path[:] = [_Without]
    sys.path[:], sys.path_hooks[:] = [], []
    builtins.open = io.open = _open
    builtins.input = _input
    for name in list(sys.modules):
        if name.partition(".")[0] in WITHOUT or name in WITHOUT or name in ("posix", "_socket", "_io.open"):
            del sys.modules[name]


class _Watch:
    """Notes which lines of a script run, where it was asked to."""

    TOOL = 4  # of the numbers that nobody else has

    def __init__(self):
        self.on = False
        self.ran = set()

    def code(self, code):
        """Watches code, and all code within it."""
        monitoring = sys.monitoring
        if not monitoring.get_tool(self.TOOL):
            monitoring.use_tool_id(self.TOOL, "windlass")
            monitoring.register_callback(self.TOOL, monitoring.events.LINE, self._line)
        for part in _parts(code):
            monitoring.set_local_events(self.TOOL, part, monitoring.events.LINE)

    def _line(self, _, line):
        self.ran.add(line)
        return sys.monitoring.DISABLE  # once is enough


_watch = _Watch()


def _parts(code):
    """Code, and all code within it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _parts(part)


class Marks(wit_world.exports.Marks):
    def mark(self, text):
        # Nothing has to be put into it: the interpreter tells its lines.
        try:
            code = compile(text, "script", "exec", dont_inherit=True)
            return text, sorted({line for part in _parts(code) for _, _, line in part.co_lines() if line})
        except Exception as error:
            raise Err(f"it cannot be marked: {error}") from None


class Lines(wit_world.exports.Lines):
    def watch(self):
        _watch.on = True

    def seen(self):
        return sorted(_watch.ran)


class ScriptApi(wit_world.exports.ScriptApi):
    def handle(self, script, event):
        # The image was made with one state for all; this is the call's own.
        random.seed()
        _close()
        names = {"__name__": "__main__", "__file__": script.name}
        names.update((name, getattr(windlass, name)) for name in windlass.__all__)

        def run(event):
            names["event"] = event
            code = compile(script.text, script.name, "exec", dont_inherit=True)
            if _watch.on:
                _watch.code(code)
            exec(code, names)

        try:
            return windlass._answered(event, run)
        except SystemExit as exit:
            if exit.code in (None, 0):
                return events.Answer_GoOn()
            raise windlass._fault(exit, windlass._place(exit, script.name)) from None
        except BaseException as error:
            raise windlass._fault(error, windlass._place(error, script.name)) from None
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
