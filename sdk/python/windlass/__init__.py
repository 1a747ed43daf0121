"""Windlass for hooks in Python.

A script in a site's ``hooks/`` has all of this without an import; with one, editors and linters know it too::

    # /// windlass
    # api = "0.1"
    # summary = "Takes a node out of the load balancer"
    #
    # [[needs]]
    # reason = "Drain the node that is restarted"
    # commands = ["drain@lb1"]
    # ///
    from windlass import event, node, veto

    if event.code == "before-step":
        node("lb1").run("drain", node=event.node)

Whatever the host denies, or cannot do, is raised as a :class:`Fault`. A script that raises what it does not catch
fails, and the message says where; :func:`veto` refuses what is about to happen.
"""

from __future__ import annotations

import importlib

from componentize_py_types import Err as _Err

__all__ = [
    "CommandFailed", "Content", "Denied", "Event", "Fault", "Node", "Secret", "acknowledge", "certificate",
    "cluster", "confirm", "crypto", "event", "files", "health", "key", "keyring", "manager", "members", "node",
    "nodes", "note", "operator", "parameter", "progress", "run_each", "secret", "secrets", "state", "veto", "warn",
]


class Fault(Exception):
    """Why something did not happen. ``code`` is an open set: denied, not-asked, unknown, invalid, unreachable,
    timeout, failed, refused, declined."""

    def __init__(self, code: str, message: str, hint: str = ""):
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class Denied(Fault):
    """The site's grants do not allow it, or the hook's needs do not ask for it; ``hint`` says what would."""


class CommandFailed(Fault):
    """A command ran, and its declared success was not met."""

    def __init__(self, node: str, command: str, outcome):
        super().__init__("failed", f"{command} on {node} failed: {outcome.reason}")
        self.node, self.command, self.outcome = node, command, outcome


class _Veto(BaseException):
    """Not an ``Exception``, so that no ``except Exception`` of a script takes it for a failure."""


def _text(value) -> str:
    """Text that can cross into the host: half a character, which Python allows in its strings, becomes a ``?``."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _raised(fault) -> Fault:
    kind = Denied if fault.code in ("denied", "not-asked") else Fault
    return kind(fault.code, fault.message, fault.hint)


class _Interface:
    """The functions of one interface of the contract, their faults raised as :class:`Fault`."""

    def __init__(self, name: str):
        self._name = name
        try:
            self._module = importlib.import_module(f"wit_world.imports.{name}")
        except ImportError:
            self._module = None

    def __getattr__(self, name: str):
        if self._module is None:
            raise Denied(
                "not-asked",
                f"this hook was built without {self._name}",
                "put what it needs into its manifest, and build it again",
            )
        found = getattr(self._module, name)
        if isinstance(found, type) or not callable(found):
            return found

        def call(*arguments):
            try:
                return found(*(_text(each) if isinstance(each, str) else each for each in arguments))
            except _Err as error:
                raise _raised(error.value) from None

        return call


nodes = _Interface("nodes")
files = _Interface("files")
cluster = _Interface("cluster")
crypto = _Interface("crypto")
keyring = _Interface("keyring")
secrets = _Interface("secrets")
operator = _Interface("operator")
clock = _Interface("clock")
_state = _Interface("state")


class Secret:
    """A secret of the run, by its name. Nobody can read it."""

    def __init__(self, name: str):
        self.name = name


class Content:
    """What to write into a file: see :func:`certificate` and :func:`key`."""

    def __init__(self, make):
        self._make = make


def secret(name: str) -> Secret:
    """Names a secret of the run, as the argument of a command or the content of a file that is marked secret."""
    return Secret(name)


def certificate(name: str) -> Content:
    """A certificate of the run, as PEM."""
    return Content(lambda: files.Content_Certificate(name))


def key(name: str, passphrase: str) -> Content:
    """A private key of the run, as PKCS#8 PEM under a passphrase, which is a secret of the run."""
    return Content(lambda: files.Content_Key(files.EncryptedKey(name, passphrase)))


def _content(content):
    if isinstance(content, Content):
        return content._make()
    if isinstance(content, Secret):
        return files.Content_Secret(content.name)
    if isinstance(content, Node):
        raise TypeError("to copy a file, name it: content=node(\"master1\").file(\"ha-root-cert\")")
    if isinstance(content, str):
        content = content.encode()
    return files.Content_Bytes(bytes(content))


def _arguments(arguments: dict) -> list:
    def value(given):
        if isinstance(given, Secret):
            return nodes.Value_Secret(given.name)
        if isinstance(given, bool) or not isinstance(given, (str, int)):
            raise TypeError(f"an argument of a command is text, a number or a secret, not {given!r}")
        return nodes.Value_Text(_text(given))

    return [nodes.Argument(name.replace("_", "-"), value(given)) for name, given in arguments.items()]


class Node:
    """A node, by its name in the inventory. Nothing is asked of the host before a method is called."""

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise TypeError(f"a node is named by its name, not by {name!r}")
        self.name = name

    def __repr__(self) -> str:
        return f"node({self.name!r})"

    def run(self, command: str, **arguments):
        """Runs a named command and waits for it; :class:`CommandFailed` where its declared success is not met.
        Placeholders are given by name, ``_`` for ``-``."""
        outcome = self.try_run(command, **arguments)
        if not outcome.succeeded:
            raise CommandFailed(self.name, command, outcome)
        return outcome

    def try_run(self, command: str, **arguments):
        """As :meth:`run`; returns the outcome whatever it is: ``succeeded``, ``exit``, ``reason``, ``output``."""
        return nodes.run(self.name, command, _arguments(arguments))

    def clock_offset(self) -> int:
        """How far the node's clock is ahead of the controller's, in milliseconds."""
        return nodes.clock_offset(self.name)

    def stat(self, file: str):
        """Size, mode, owner and time of a file, or ``None`` where it does not exist."""
        return files.stat(self.name, file)

    def fingerprint(self, file: str):
        """SHA-256 of a file in lower-case hex, or ``None`` where it does not exist."""
        return files.fingerprint(self.name, file)

    def read(self, file: str) -> bytes:
        """The bytes of a file that is not secret, at most 1 MiB."""
        return files.read(self.name, file)

    def space(self, file: str) -> int:
        """The bytes free where the file lies."""
        return files.space(self.name, file)

    def file(self, file: str) -> Content:
        """A file of this node, as content for another."""
        return Content(lambda: files.Content_File(files.SourceFile(self.name, file)))

    def put(self, file: str, content) -> None:
        """Replaces a file at once; ``content`` is bytes, text, a :class:`Secret` or a :class:`Content`."""
        files.put(self.name, file, _content(content))

    def stage(self, set: str, file: str, content) -> None:
        """Writes new content beside the file, as part of a named set."""
        files.stage(set, self.name, file, _content(content))

    def swap(self, set: str) -> None:
        """Renames every file of a set into its place, as one generation."""
        files.swap(set, self.name)

    def discard(self, set: str) -> None:
        """Removes what was staged of a set and not swapped in."""
        files.discard(set, self.name)

    def remove(self, file: str) -> None:
        """Removes a file; nothing to do where it does not exist."""
        files.remove(self.name, file)

    def restore(self, name: str) -> None:
        """Puts back a file, or all that a named command is declared to write, as it was before this run."""
        files.restore(self.name, name)

    def served(self, endpoint: str):
        """The certificate that a named endpoint presents now."""
        return cluster.served(self.name, endpoint)


def node(name: str) -> Node:
    """The node of this name."""
    return Node(name)


def members() -> list:
    """The members of the cluster, in inventory order: ``name``, ``role``, ``groups``."""
    return nodes.members()


def run_each(names, command: str, **arguments) -> list:
    """Runs a named command on many nodes, a bounded number at a time: a list of pairs of a node's name and its
    outcome, or the :class:`Fault` in its place. In inventory order."""
    names = [each.name if isinstance(each, (Node, nodes.Member)) else each for each in names]

    def outcome(result):
        return _raised(result.value) if isinstance(result, _Err) else result.value

    return [(each.node, outcome(each.outcome)) for each in nodes.run_each(names, command, _arguments(arguments))]


def health() -> list:
    """Every manager's health table: ``reporter``, ``node``, ``role``, ``state``, ``phase``."""
    return cluster.health()


def manager() -> int:
    """The HTTP status that the manager's page answers with."""
    return cluster.manager()


def parameter(name: str):
    """A parameter of the procedure, or ``None``. What the site gives the hook is ``event.parameter(name)``."""
    return operator.parameter(name)


def confirm(question: str, impact: str) -> bool:
    """Asks the operator a yes-or-no question. ``--yes`` answers it."""
    return operator.confirm(question, impact)


def acknowledge(question: str, impact: str) -> bool:
    """Asks for an acknowledgement, which ``--yes`` does not give."""
    return operator.acknowledge(question, impact)


def note(text: str) -> None:
    """Writes a note into the run's report, at most 4,096 characters."""
    operator.note(str(text))


def progress(done: int, total: int, text: str = "") -> None:
    """Shows how far a long piece of work is."""
    operator.progress(done, total, text)


class _State:
    """Small values that the run keeps for this hook between its calls, as text. Not for secrets."""

    def get(self, name: str, default=None):
        value = _state.get(name)
        return default if value is None else value

    def __getitem__(self, name: str) -> str:
        value = _state.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value) -> None:
        _state.set(name, str(value))


state = _State()


def veto(reason: str) -> None:
    """Refuses what is about to happen, and ends the hook. For events that come before something."""
    raise _Veto(_text(reason))


_warnings: list[str] = []


def warn(text: str) -> None:
    """Shows this in the report, and lets the run go on."""
    _warnings.append(_text(text))


_REQUIRED = object()


class Event:
    """What is about to happen, or has happened. What an event does not have is ``None``."""

    def __init__(self, code: str, details: dict, parameters: dict):
        self.code, self.details, self.parameters = code, details, parameters

    def __repr__(self) -> str:
        return f"Event({self.code!r}, {self.details!r})"

    procedure = property(lambda self: self.details.get("procedure"))
    run = property(lambda self: self.details.get("run"))
    site = property(lambda self: self.details.get("site"))
    first = property(lambda self: self.details.get("first"))
    second = property(lambda self: self.details.get("second"))
    step = property(lambda self: self.details.get("step"))
    title = property(lambda self: self.details.get("title"))
    node = property(lambda self: self.details.get("node"))
    nodes = property(lambda self: self.details.get("nodes", "").split())
    reason = property(lambda self: self.details.get("reason"))
    message = property(lambda self: self.details.get("message"))

    def parameter(self, name: str, default=_REQUIRED):
        """What the site gives this hook under a name, in ``[hooks.params]``. Without a default it must."""
        value = self.parameters.get(name)
        if value is not None:
            return value
        if default is not _REQUIRED:
            return default
        raise Fault(
            "invalid",
            f"the hook needs the parameter {name}",
            f'under its [[hooks]] in site.toml: params = {{ {name} = "…" }}',
        )


event: Event = None  # type: ignore  # set before a hook runs


def _answered(given, run):
    """Runs a hook for an event of the contract, and makes an answer, or a fault, of how it ends."""
    global event
    events = importlib.import_module("wit_world.imports.events")
    event = Event(
        given.code,
        {entry.name: entry.value for entry in given.details},
        {entry.name: entry.value for entry in given.parameters},
    )
    _warnings.clear()
    try:
        run(event)
    except _Veto as veto:
        return events.Answer_Veto(str(veto))
    if _warnings:
        return events.Answer_Warn("; ".join(_warnings))
    return events.Answer_GoOn()


def _fault(error: BaseException, where: str):
    """The fault that an exception is; ``where`` is the place in the hook that it comes from."""
    types = importlib.import_module("wit_world.imports.types")
    at = f", at {where}" if where else ""
    if isinstance(error, Fault):
        message = _text(error.message)[:3900] + at
        return _Err(types.Fault(_text(error.code), message, _text(error.hint)))
    name = type(error).__name__
    try:
        text = _text(error)
    except BaseException:
        text = "(its message cannot be shown)"
    return _Err(types.Fault("failed", (f"{name}: {text}" if text else name)[:3900] + at, ""))


def export(handle, title: str):
    """Makes what a compiled hook exports: ``HookApi = windlass.export(handle, title="…")``."""
    hook_api = importlib.import_module("wit_world.exports.hook_api")

    class HookApi:
        def describe(self):
            return hook_api.Description(title)

        def handle(self, given):
            try:
                return _answered(given, handle)
            except Exception as error:
                raise _fault(error, _place(error, handle.__code__.co_filename)) from None

    return HookApi


def _place(error: BaseException, file: str) -> str:
    """The innermost line of a file that an exception passed."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return f"{file}:{error.lineno}"
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == file:
            name = code.co_name
            place = f"{file.rsplit('/', 1)[-1]}:{trace.tb_lineno}" + ("" if name == "<module>" else f" in {name}")
        trace = trace.tb_next
    return place
