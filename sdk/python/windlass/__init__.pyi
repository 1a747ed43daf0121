"""Windlass for hooks in Python. For editors and type checkers; the module itself is in the engine."""

from typing import Any, Callable, Iterable, NoReturn

class Fault(Exception):
    """Why something did not happen. ``code`` is an open set: denied, not-asked, unknown, invalid, unreachable,
    timeout, failed, refused, declined."""

    code: str
    message: str
    #: What to do next; empty where there is nothing to say.
    hint: str
    def __init__(self, code: str, message: str, hint: str = "") -> None: ...

class Denied(Fault):
    """The site's grants do not allow it, or the hook's needs do not ask for it; ``hint`` says what would."""

class Outcome:
    succeeded: bool
    #: Exit status; -1 where a signal ended it.
    exit: int
    #: Why it does not count as a success; empty if it does.
    reason: str
    #: What the command's declared parser gives of its output, line by line.
    output: list[str]

class CommandFailed(Fault):
    """A command ran, and its declared success was not met."""

    node: str
    command: str
    outcome: Outcome

class Member:
    name: str
    #: ``first`` (active when the run began), ``second`` (standby then), or empty.
    role: str
    groups: list[str]

class FileStat:
    #: Bytes.
    size: int
    #: Octal, as ``0600``.
    mode: str
    owner: str
    group: str
    #: Seconds since 1970 UTC.
    modified: int

class Certificate:
    subject: str
    issuer: str
    serial: str
    #: SHA-256 of the DER, lower-case hex.
    fingerprint: str
    #: Seconds since 1970 UTC.
    not_before: int
    not_after: int
    key_algorithm: str
    signature_algorithm: str
    can_issue: bool
    subject_key_id: str
    authority_key_id: str
    names: list[str]

class HealthRecord:
    #: The node that was asked.
    reporter: str
    #: The node the row is about.
    node: str
    #: ``active``, ``standby`` or ``null``.
    role: str
    #: ``normal``, ``abnormal``, ``null`` or ``unreachable``.
    state: str
    phase: str

class Secret:
    """A secret of the run, by its name. Nobody can read it."""

    name: str
    def __init__(self, name: str) -> None: ...

class Content:
    """What to write into a file: :func:`certificate`, :func:`key`, or :meth:`Node.file`."""

class Node:
    """A node, by its name in the inventory. Nothing is asked of the host before a method is called."""

    name: str
    def __init__(self, name: str) -> None: ...
    def run(self, command: str, **arguments: str | int | Secret) -> Outcome:
        """Runs a named command and waits for it; :class:`CommandFailed` where its declared success is not met.
        Placeholders are given by name, ``_`` for ``-``."""
    def try_run(self, command: str, **arguments: str | int | Secret) -> Outcome:
        """As :meth:`run`; returns the outcome whatever it is."""
    def clock_offset(self) -> int:
        """How far the node's clock is ahead of the controller's, in milliseconds."""
    def stat(self, file: str) -> FileStat | None: ...
    def fingerprint(self, file: str) -> str | None:
        """SHA-256 of a file in lower-case hex, or ``None`` where it does not exist."""
    def read(self, file: str) -> bytes:
        """The bytes of a file that is not secret, at most 1 MiB."""
    def space(self, file: str) -> int:
        """The bytes free where the file lies."""
    def file(self, file: str) -> Content:
        """A file of this node, as content for another."""
    def put(self, file: str, content: bytes | str | Secret | Content) -> None:
        """Replaces a file at once."""
    def stage(self, set: str, file: str, content: bytes | str | Secret | Content) -> None:
        """Writes new content beside the file, as part of a named set."""
    def swap(self, set: str) -> None:
        """Renames every file of a set into its place, as one generation."""
    def discard(self, set: str) -> None:
        """Removes what was staged of a set and not swapped in."""
    def remove(self, file: str) -> None:
        """Removes a file; nothing to do where it does not exist."""
    def restore(self, name: str) -> None:
        """Puts back a file, or all that a named command is declared to write, as it was before this run."""
    def served(self, endpoint: str) -> Certificate:
        """The certificate that a named endpoint presents now."""

class Event:
    """What is about to happen, or has happened. What an event does not have is ``None``."""

    #: before-run, before-step, after-step, after-run, on-failure, on-rollback: an open set.
    code: str
    details: dict[str, str]
    parameters: dict[str, str]
    procedure: str | None
    run: str | None
    site: str | None
    first: str | None
    second: str | None
    step: str | None
    title: str | None
    #: The node that the step changes, if it is one.
    node: str | None
    nodes: list[str]
    reason: str | None
    message: str | None
    def parameter(self, name: str, default: Any = ...) -> Any:
        """What the site gives this hook under a name, in ``params``. Without a default it must."""

class State:
    """Small values that the run keeps for this hook between its calls, as text. Not for secrets."""

    def get(self, name: str, default: Any = None) -> Any: ...
    def __getitem__(self, name: str) -> str: ...
    def __setitem__(self, name: str, value: object) -> None: ...

event: Event
state: State

def node(name: str) -> Node: ...
def members() -> list[Member]: ...
def run_each(
    names: Iterable[str | Node | Member], command: str, **arguments: str | int | Secret
) -> list[tuple[str, Outcome | Fault]]:
    """Runs a named command on many nodes, a bounded number at a time. In inventory order."""

def health() -> list[HealthRecord]: ...
def manager() -> int:
    """The HTTP status that the manager's page answers with."""

def parameter(name: str) -> str | None:
    """A parameter of the procedure. What the site gives the hook is ``event.parameter(name)``."""

def confirm(question: str, impact: str) -> bool: ...
def acknowledge(question: str, impact: str) -> bool: ...
def note(text: str) -> None:
    """Writes a note into the run's report, at most 4,096 characters."""

def progress(done: int, total: int, text: str = "") -> None: ...
def secret(name: str) -> Secret: ...
def certificate(name: str) -> Content: ...
def key(name: str, passphrase: str) -> Content: ...
def veto(reason: str) -> NoReturn:
    """Refuses what is about to happen, and ends the hook. For events that come before something."""

def warn(text: str) -> None:
    """Shows this in the report, and lets the run go on."""

def export(handle: Callable[[Event], None], title: str) -> type:
    """Makes what a compiled hook exports: ``HookApi = windlass.export(handle, title="…")``."""

# The interfaces of the contract as they are, their faults raised as Fault.
nodes: Any
files: Any
cluster: Any
crypto: Any
keyring: Any
secrets: Any
operator: Any
clock: Any
