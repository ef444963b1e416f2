"""Registry: the entries of one kind by name: their cards, their signatures, and how they are built.

A registry knows names; where they come from is told to it by a `discover` function (see `discovery.py`). Nothing is
imported until an entry is built.
"""

import contextvars
import importlib
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from fdl_zoo.card import Card
from fdl_zoo.entry import NAMING, RETURNS, Entry, Failure, normalise
from fdl_zoo.errors import InvalidCard, InvalidName, InvalidOption, PluginError, UnknownName, ZooError
from fdl_zoo.option import REQUIRED, convert_options
from fdl_zoo.tasks import TASKS

Factory = TypeVar("Factory", bound=Callable[..., Any])

_loading: contextvars.ContextVar[list["tuple[Registry, str, Entry | None]"] | None] = contextvars.ContextVar(
    "loading", default=None
)


class Registry:
    """The entries of one kind. Safe to use from several threads.

    Args:
        kind: One of `KINDS`.
        discover: Called once, when a name is first asked for; returns entries and failures of this kind.
        absent: Says of a distribution why it is not looked at (`not installed`, `switched off`); None where it is.
        keras: Returns Keras's own entries of this kind.
    """

    def __init__(
        self,
        kind: str,
        discover: Callable[[str], tuple[Iterable[Entry], Iterable[Failure]]] = lambda kind: ((), ()),
        absent: Callable[[str], str | None] = lambda distribution: "not installed",
        keras: Callable[[str], Iterable[Entry]] = lambda kind: (),
    ) -> None:
        self.kind = kind
        self._discover, self._absent, self._keras = discover, absent, keras
        self._lock = threading.RLock()
        self._registered: dict[str, Entry] = {}
        self.refresh()

    def refresh(self) -> None:
        """Forget what was discovered, so that the next question looks again. What was decorated stays."""
        with self._lock:
            self._entries: dict[str, Entry] | None = None
            self._contested: dict[str, list[Entry]] = {}
            self._expanded: dict[str, Entry] | None = None
            self._keras_entries: dict[str, Entry] | None = None
            self._failures: list[Failure] = []

    # ---- names ----------------------------------------------------------------------------------------------------

    @property
    def noun(self) -> str:
        """The kind in the singular."""
        return self.kind[:-1]

    def _own(self) -> dict[str, Entry]:
        """The entries by normalised full name, without variants."""
        with self._lock:
            if self._entries is None:
                entries, failures = self._discover(self.kind)
                self._entries = {}
                self._failures.extend(failures)
                for entry in [*entries, *self._registered.values()]:
                    self._place(entry, self._entries)
                for claims in self._contested.values():
                    self._fail(claims[-1], "register", _collision(self.noun, claims))
            return self._entries

    def _place(self, entry: Entry, entries: dict[str, Entry]) -> None:
        """Put an entry in its place; a second one of the same name contests it, and both are set aside."""
        key = normalise(entry.name)
        known = self._contested.get(key, [entries[key]] if key in entries else [])
        if not known:
            entries[key] = entry
        elif all(_same_target(entry, other) for other in known):
            return
        else:
            self._contested[key] = [*known, entry]
            entries.pop(key, None)

    def _all(self) -> dict[str, Entry]:
        """The entries by normalised full name, with their variants; reads every file."""
        with self._lock:
            if self._expanded is None:
                expanded = dict(self._own())
                for entry in list(expanded.values()):
                    self._note_problem(entry)
                    for variant in entry.variants():
                        key = normalise(variant.name)
                        if key in expanded:
                            self._fail(entry, "register", _collision(self.noun, [expanded[key], variant]))
                        else:
                            expanded[key] = variant
                            self._note_variant(variant)
                self._expanded = expanded
            return self._expanded

    def _note_problem(self, entry: Entry) -> None:
        if entry.source.problem:
            self._fail(entry, "source", entry.source.problem)

    def _note_variant(self, variant: Entry) -> None:
        """A variant whose options its file does not have is listed, and its failure recorded."""
        try:
            variant.options  # noqa: B018 -- checked here, so that `fdl plugins doctor` knows
        except ZooError as error:
            self._fail(variant, "source", str(error))

    def _fail(self, entry: Entry, phase: str, message: str) -> None:
        """Record a failure; of one entry and phase the first cause is kept."""
        with self._lock:
            if not any(known.entry == entry.name and known.phase == phase for known in self._failures):
                self._failures.append(Failure(entry.distribution, entry.version, entry.name, phase, message, self.kind))

    def failures(self) -> list[Failure]:
        """What is known to be wrong with plugins of this kind, every file read and nothing imported."""
        self._all()
        with self._lock:
            return list(self._failures)

    def find(self, name: str) -> Entry:
        """The entry of a name: full or short, in any case, with dashes or underscores, an alias or a variant.

        Raises:
            UnknownName: There is none; says whether it is a typo, a missing plugin or one that failed to load.
            InvalidName: Several entries claim it.
        """
        if not isinstance(name, str):
            raise UnknownName(
                f"{_a(self.noun)} is named by text, not by {name!r}: `fdl list {self.kind}` shows the names."
            )
        key = normalise(name)
        if key.startswith("keras/") and key in self._from_keras():
            return self._from_keras()[key]
        own = self._own()
        if key in self._contested:
            raise InvalidName(_collision(self.noun, self._contested[key]))
        if key in own:
            return own[key]
        if key in self._all():
            return self._all()[key]
        family = self.member(name)
        return family[0] if family else self._by_short_name(key, name)

    def member(self, name: str) -> tuple[Entry, dict[str, str]] | None:
        """The family that a name belongs to, and the option that chooses the member; None where it belongs to none.

        An entry with the capability `family` has names that go on: `tfds/mnist` is `tfds` with the first of its
        options, `source`, set to `mnist`.
        """
        head, slash, rest = name.strip().partition("/")
        family = self._own().get(normalise(head))
        if not slash or family is None or normalise(name) in self._all() or "family" not in family.card.capabilities:
            return None
        return family, {next(iter(family.options)): rest}

    def _by_short_name(self, key: str, name: str) -> Entry:
        """The only entry with this short name or alias; a built-in's alias before any plugin's."""
        claims = [entry for entry in self._all().values() if key in _further_names(entry)]
        found = [entry for entry in claims if entry.door == "built-in"] or claims
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(sorted(entry.name for entry in found))
            raise InvalidName(f"The {self.noun} {name!r} is claimed by several entries: write {names}.")
        raise UnknownName(self._why_unknown(key, name))

    def _why_unknown(self, key: str, name: str) -> str:
        """One sentence for an unknown name, from what is recorded; nothing is imported."""
        listing = f"`fdl list {self.kind}` shows all"
        for failure in self.failures():
            if failure.entry and key in (normalise(failure.entry), normalise(failure.entry.rpartition("/")[2])):
                return f"The {self.noun} {name!r} failed to load: {failure}"
            if not failure.entry and key == normalise(failure.distribution):  # its entries are not known either
                return f"The {self.noun} {name!r} failed to load: {failure}"
        distribution, slash, _ = name.rpartition("/")
        if slash and normalise(distribution) not in ("keras", "fdl_zoo"):
            reason = self._absent(distribution)
            if reason:
                return f"No {self.noun} is named {name!r}: its plugin {distribution} is {reason}; {listing}."
            for failure in self.failures():
                if not failure.entry and normalise(failure.distribution) == normalise(distribution):
                    return f"The {self.noun} {name!r} failed to load: {failure}"
        pool = self._all()
        if key.startswith("keras/") and self._from_keras():
            pool, listing = self._from_keras(), f"`fdl list {self.kind} --origin keras` shows all"
        close = _closest(key, pool)
        if close:
            return f"No {self.noun} is named {name!r}: did you mean {' or '.join(close)}? ({listing})"
        return f"No {self.noun} is named {name!r}: {listing}."

    def _from_keras(self) -> dict[str, Entry]:
        with self._lock:
            if self._keras_entries is None:
                self._keras_entries = {normalise(entry.name): entry for entry in self._keras(self.kind)}
            return self._keras_entries

    # ---- lists ----------------------------------------------------------------------------------------------------

    def entries(
        self,
        match: str | Iterable[str] | None = None,
        *,
        task: str | None = None,
        chapter: int | None = None,
        max_params: int | None = None,
        tag: str | None = None,
        origin: str | None = None,
    ) -> list[Entry]:
        """The entries that pass every filter: built-ins first, then plugins, each by name.

        Args:
            match: A wildcard pattern, or several of which one must match; full and short names are compared.
            task: A task that the entry's card states.
            chapter: The chapter of the book.
            max_params: Largest parameter count; entries that state none are left out.
            tag: A tag of the card.
            origin: `fdl_zoo`, `keras`, `notebook`, or a plugin's distribution.

        Raises:
            UnknownName: A pattern matches no name at all.
            InvalidOption: There is no such task.
        """
        if task is not None and task not in TASKS:
            raise InvalidOption(f"The task cannot be {task!r}: it is one of {', '.join(TASKS)}.")
        keras = normalise(origin or "") == "keras"
        pool = list((self._from_keras() if keras else self._all()).values())
        if match is not None:
            pool = self._matching(pool, [match] if isinstance(match, str) else list(match))
        chosen = [
            entry
            for entry in pool
            if (task is None or task in entry.card.tasks)
            and (chapter is None or entry.card.chapter == chapter)
            and (max_params is None or (entry.card.num_params is not None and entry.card.num_params <= max_params))
            and (tag is None or normalise(tag) in map(normalise, entry.card.tags))
            and (origin is None or normalise(origin) in (normalise(entry.distribution), normalise(entry.door)))
        ]
        return sorted(chosen, key=lambda entry: (entry.door != "built-in", normalise(entry.name)))

    def _matching(self, pool: list[Entry], patterns: list[str]) -> list[Entry]:
        chosen: list[Entry] = []
        for pattern in patterns:
            key = _normalise_pattern(pattern)
            named = list(self._from_keras().values()) if key.startswith("keras/") else pool
            matched = [
                e for e in named if fnmatchcase(normalise(e.name), key) or fnmatchcase(normalise(e.short_name), key)
            ]
            if not matched:
                close = _closest(key.replace("*", ""), {normalise(entry.name): entry for entry in named or pool})
                hint = f"did you mean {' or '.join(close)}?" if close else f"`fdl list {self.kind}` shows all."
                raise UnknownName(f"No {self.noun} matches {pattern!r}: {hint}")
            chosen += [entry for entry in matched if entry not in chosen]
        return chosen

    def names(self, *args: Any, **filters: Any) -> list[str]:
        """The names of `entries(...)`."""
        return [entry.name for entry in self.entries(*args, **filters)]

    # ---- registration ---------------------------------------------------------------------------------------------

    def register(self, name: str, card: Card | None = None) -> Callable[[Factory], Factory]:
        """A decorator that registers a factory from a notebook or script.

        Raises:
            InvalidName: The name is malformed, or another factory has it.
            InvalidCard: The card is none, or what is registered is no factory.
        """
        if not isinstance(name, str) or not all(part.isidentifier() for part in normalise(name).split("/")):
            raise InvalidName(f"{_a(self.noun)} cannot be named {name!r}: {NAMING}.")

        if card is not None and not isinstance(card, Card):
            raise InvalidCard(f"The card of {name} cannot be a {type(card).__name__}: give card=Card(...).")

        def decorate(function: Factory) -> Factory:
            if not hasattr(function, "__qualname__"):
                raise InvalidCard(
                    f"{_a(type(function).__name__)} cannot be registered as the {self.noun} {name}: give a function"
                    " that builds it, or its class."
                )
            target = f"{function.__module__}:{function.__qualname__}"
            entry = Entry(
                self.kind, name, target, "notebook", door="notebook", function=function, stated=card or Card()
            )
            entry.options  # noqa: B018 -- an annotation outside the contract is refused here, not at the first listing
            self._add(entry)
            return function

        return decorate

    def _add(self, entry: Entry) -> None:
        key = normalise(entry.name)
        with self._lock:
            known = self._all().get(key)
            claims = self._contested.get(key, [known] if known else [])
            again = known is not None and known.door == "notebook" and _same_target(known, entry)
            if claims and not again:
                raise InvalidName(_collision(self.noun, [*claims, entry]))
            self._registered[key] = entry  # a cell run again replaces its own function
            self._own()[key] = entry
            self._expanded = None
        loading = _loading.get()
        if loading is not None:
            loading.append((self, key, known))

    def _withdraw(self, key: str, former: Entry | None) -> None:
        """Undo a registration; what it had replaced is back."""
        with self._lock:
            for entries in (self._registered, self._own()):
                entries.pop(key, None)
                if former is not None:
                    entries[key] = former
            self._expanded = None

    # ---- building -------------------------------------------------------------------------------------------------

    def load(self, entry: Entry) -> Callable[..., Any]:
        """Import an entry's factory; a plugin that cannot be imported is recorded, and what it registered is undone.

        Raises:
            PluginError: The import failed; the first cause is kept.
        """
        made: list[tuple[Registry, str, Entry | None]] = []
        known = dict(_known_to_keras())
        token = _loading.set(made)
        try:
            return entry.load()
        except (Exception, SystemExit) as error:
            for registry, key, former in reversed(made):
                registry._withdraw(key, former)
            _withdraw_from_keras(known)
            if entry.door in ("built-in", "keras"):
                raise
            self._fail(entry, "import", _cause(error))
            raise PluginError(f"The {self.noun} {entry.name} failed to load: {self._first(entry, 'import')}") from error
        finally:
            _loading.reset(token)

    def _first(self, entry: Entry, phase: str) -> str:
        return next(each.message for each in self._failures if each.entry == entry.name and each.phase == phase)

    def build(self, name: str, /, *args: Any, context: Any = None, **options: Any) -> Any:
        """Build an entry by name.

        Args:
            name: Its name.
            *args: `input_shape` and `num_outputs` of a model, which may also be given by keyword.
            context: Handed on to a callback that names it.
            **options: Its options; each is checked against the signature.

        Raises:
            UnknownName: There is no such entry.
            InvalidOption: An option is unknown, missing, or its value not accepted.
            PluginError: A plugin failed, or returned something else than its kind.
        """
        entry = self.find(name)
        family = self.member(name)
        options = {**(family[1] if family else {}), **options}
        positional = ("input_shape", "num_outputs") if self.kind == "models" else ()
        shape = {key: options.pop(key) for key in positional if key in options}
        checked = self.check(entry, options)
        if context is not None and "context" in entry.source.parameters:
            checked["context"] = context
        factory = self.load(entry)
        try:
            built = factory(*args, **shape, **checked)
        except ZooError:
            raise
        except (Exception, SystemExit) as error:
            if entry.door in ("built-in", "keras", "notebook"):
                raise
            self._fail(entry, "build", _cause(error))
            raise PluginError(f"The {self.noun} {entry.name} failed to build: {_cause(error)}") from error
        return self._checked_return(entry, built)

    def check(self, entry: Entry, options: Mapping[str, Any]) -> dict[str, Any]:
        """The given options over a variant's own, in their types and ranges; nothing is imported."""
        if entry.source.problem and not entry.source.parameters:
            return dict(options)
        self._check_parameters(entry)
        checked = convert_options(entry.options, {**entry.fixed, **options}, entry.name)
        for name, option in entry.options.items():
            if option.default is REQUIRED and name not in checked:
                raise InvalidOption(f"{entry.name} needs the option {name!r}: it is {option.type}.")
        return checked

    def _check_parameters(self, entry: Entry) -> None:
        """A model is built for the data: its build must take their shape and number of outputs."""
        takes = entry.source.parameters
        if self.kind != "models" or any(each.startswith("**") for each in takes):
            return
        if not {"input_shape", "num_outputs"} <= {*takes}:
            raise InvalidCard(
                f"{entry.name} cannot be built: its build takes ({', '.join(takes)}), and a model's takes input_shape"
                " and num_outputs, by these names, then options."
            )

    def _checked_return(self, entry: Entry, built: Any) -> Any:
        module, _, attribute = RETURNS[self.kind].partition(":")
        if isinstance(built, getattr(importlib.import_module(module), attribute)):
            return built
        message = f"its build returned a {type(built).__name__}, where a {module}.{attribute} is expected."
        self._fail(entry, "build", message)
        raise PluginError(f"The {self.noun} {entry.name} cannot be used: {message}")


def _known_to_keras() -> dict[str, Any]:
    """The classes and functions that Keras finds by their registered names; none while Keras is not imported."""
    saving = sys.modules.get("keras.saving")
    return saving.get_custom_objects() if saving else {}


def _withdraw_from_keras(known: Mapping[str, Any]) -> None:
    """Undo what a failed import registered with Keras: its module is gone, but a saved file would still find it.

    What another thread registers meanwhile stays: the module it comes from is loaded.
    """
    registered = _known_to_keras()
    for name, made in list(registered.items()):
        if getattr(made, "__module__", None) in sys.modules:
            continue
        if name in known:
            registered[name] = known[name]
        else:
            del registered[name]


def _further_names(entry: Entry) -> set[str]:
    """Its short name and its aliases, these with and without its distribution; normalised."""
    prefix = entry.name[: len(entry.name) - len(entry.short_name)]
    aliases = entry.card.aliases
    return set(map(normalise, (entry.short_name, *aliases, *(prefix + alias for alias in aliases))))


def _normalise_pattern(pattern: str) -> str:
    """As `normalise`, but the dash of a wildcard's `[a-c]` keeps its meaning."""
    parts = re.split(r"(\[[^]]*\])", pattern.strip().lower())
    return "".join(part if part.startswith("[") else normalise(part) for part in parts)


def _a(noun: str) -> str:
    return f"{'An' if noun[0] in 'aeiou' else 'A'} {noun}"


def _same_target(one: Entry, other: Entry) -> bool:
    return one.target == other.target and normalise(one.distribution) == normalise(other.distribution)


def _collision(noun: str, entries: list[Entry]) -> str:
    claims = " and ".join(f"{entry.distribution} ({entry.target})" for entry in entries)
    return f"The {noun} name {entries[0].name!r} is claimed by {claims}: rename one of them."


def _closest(key: str, pool: Mapping[str, Entry]) -> list[str]:
    """Up to three names nearest to a misspelt one, full and short names compared."""
    spellings = {normalise(entry.short_name): entry.name for entry in pool.values()} | {
        known: entry.name for known, entry in pool.items()
    }
    near = get_close_matches(key, spellings, n=3, cutoff=0.5)
    near += get_close_matches(key.rpartition("/")[2], spellings, n=3, cutoff=0.5)
    return list(dict.fromkeys(spellings[each] for each in near))[:3]


def _cause(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
