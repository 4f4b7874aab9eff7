"""Names of CPython that the scanner knows: facts about the language, no verdicts.

Sources: the ``inspect`` documentation ("Types and members"), the tables of RestrictedPython and the standard library
itself (``STDLIB_NOT_MODULES`` and ``STDLIB_SUBMODULES`` were measured on CPython 3.11, 3.12 and 3.13 by importing every
public module; ``tests/unit/validation_scan/test_scan_stdlib.py`` measures again on the interpreter at hand).
"""

from __future__ import annotations

import builtins
import keyword
import re
import sys

from orchestrator.validation.stdlib import STDLIB


def words(text: str) -> frozenset[str]:
    """The words of a block of text: how the tables below are written."""
    return frozenset(text.split())


DUNDER = re.compile(r"__\w+__\Z")

# Top-level modules of the standard library: of every version known (stdlib.py), and this interpreter's.
STDLIB_MODULES = frozenset(sys.stdlib_module_names) | frozenset(STDLIB)

# Attributes that lead from a value to a frame, its code or its class hierarchy. None has a use in a skill.
INTROSPECTION_ATTRIBUTES = words(
    """
    tb_frame tb_next tb_lasti
    f_back f_builtins f_code f_globals f_locals f_trace f_trace_lines f_trace_opcodes f_generator f_lasti
    co_code co_consts co_names co_varnames co_cellvars co_freevars co_linetable co_lnotab co_exceptiontable
    co_positions co_lines co_branches co_filename co_qualname
    gi_frame gi_code gi_yieldfrom gi_suspended
    cr_await cr_code cr_frame cr_origin cr_suspended
    ag_await ag_code ag_frame ag_suspended
    func_globals func_code func_closure func_defaults im_func im_self im_class
    mro cell_contents
    _getframe _getframemodulename _current_frames _current_exceptions _module _flavour _mro_entries
    _evaluate _eval_type _convert_ _get_protocol_attrs _dump_registry
    """
)

# Modules that no value of an ordinary program carries: `path.parser.os` (3.13) or `catch_warnings()._module.sys`
# reach them through an attribute of an object whose type the scanner cannot know.
MODULES_BEHIND_OBJECTS = words(
    """
    os sys subprocess builtins bltns stdlib_re bltn_open importlib ctypes posix nt gc inspect marshal pickle runpy pty
    posixpath
    _os _sys _io _thread _threading _subprocess _builtins _imp _warnings _weakref _signal _socket _posixsubprocess
    """
)

# Functions that start a process or load native code, wherever they hang. (`system` is missing on purpose: too many
# programs have one of their own; `os.system` is found by its dotted name.)
PROCESS_ATTRIBUTES = words(
    """
    popen fork forkpty execv execve execvp execvpe execl execle execlp execlpe posix_spawn posix_spawnp
    spawnv spawnve spawnvp spawnvpe spawnl spawnle spawnlp spawnlpe startfile load_extension enable_load_extension
    create_subprocess_exec create_subprocess_shell subprocess_exec subprocess_shell LoadLibrary remote_exec
    """
)

# Attributes of standard modules that share a module's name and are not modules (`datetime.datetime`, `time.time`).
STDLIB_NOT_MODULES = words(
    """
    array.array ast.keyword ast.operator bisect.bisect calendar.calendar copy.copy copyreg.pickle crypt.crypt
    datetime.datetime datetime.time dis.dis fcntl.fcntl fnmatch.fnmatch getopt.getopt getpass.getpass gettext.gettext
    glob.glob imaplib.datetime inspect.trace locale.gettext mmap.mmap netrc.netrc optparse.gettext os.stat
    pickletools.dis platform.platform posix.stat pprint.pprint random.random select.select shlex.shlex shutil.copy
    signal.signal socket.socket stringprep.unicodedata symtable.symtable sys.platform syslog.syslog time.time
    timeit.timeit tokenize.tokenize typing.io typing.re unicodedata.decimal
    """
)

# Public submodules of standard packages.
STDLIB_SUBMODULES = words(
    """
    asyncio.base_events asyncio.base_futures asyncio.base_subprocess asyncio.base_tasks asyncio.constants
    asyncio.coroutines asyncio.events asyncio.exceptions asyncio.format_helpers asyncio.futures asyncio.graph
    asyncio.locks asyncio.log asyncio.mixins asyncio.proactor_events asyncio.protocols asyncio.queues asyncio.runners
    asyncio.selector_events asyncio.sslproto asyncio.staggered asyncio.streams asyncio.subprocess asyncio.taskgroups
    asyncio.tasks asyncio.threads asyncio.timeouts asyncio.tools asyncio.transports asyncio.trsock asyncio.unix_events
    collections.abc compression.bz2 compression.gzip compression.lzma compression.zlib compression.zstd
    concurrent.futures concurrent.futures.process concurrent.futures.thread concurrent.interpreters
    ctypes.macholib ctypes.util ctypes.wintypes curses.ascii curses.has_key
    curses.panel curses.textpad dbm.dumb dbm.gnu dbm.ndbm dbm.sqlite3 email.base64mime email.charset
    email.contentmanager email.encoders email.errors email.feedparser email.generator email.header
    email.headerregistry email.iterators email.message email.mime email.parser email.policy email.quoprimime
    email.utils html.entities html.parser http.client http.cookiejar http.cookies http.server importlib.abc
    importlib.machinery importlib.metadata importlib.readers importlib.resources importlib.simple importlib.util
    json.decoder json.encoder json.scanner json.tool logging.config logging.handlers multiprocessing.connection
    multiprocessing.context multiprocessing.dummy multiprocessing.forkserver multiprocessing.heap
    multiprocessing.managers multiprocessing.pool multiprocessing.popen_fork multiprocessing.popen_forkserver
    multiprocessing.popen_spawn_posix multiprocessing.process multiprocessing.queues multiprocessing.reduction
    multiprocessing.resource_sharer multiprocessing.resource_tracker multiprocessing.shared_memory
    multiprocessing.sharedctypes multiprocessing.spawn multiprocessing.synchronize multiprocessing.util os.path
    pathlib.types sqlite3.dbapi2 sqlite3.dump string.templatelib sys.monitoring unittest.mock urllib.error urllib.parse
    urllib.request urllib.response urllib.robotparser wsgiref.handlers wsgiref.headers wsgiref.simple_server
    wsgiref.types wsgiref.util wsgiref.validate xml.dom xml.dom.minidom xml.etree xml.etree.ElementTree xml.parsers
    xml.sax xmlrpc.client xmlrpc.server
    """
)

# Names by which a standard module hands out what belongs to another one (measured on 3.11, 3.12 and 3.13 by identity).
RE_EXPORTS = {
    "asyncio.timeouts.TracebackType": "types.TracebackType",
    "collections.abc.FunctionType": "types.FunctionType",
    "contextlib.MethodType": "types.MethodType",
    "dataclasses.FunctionType": "types.FunctionType",
    "pathlib.attrgetter": "operator.attrgetter",
    # of the distribution of that name, which has functions of its own that do the same
    "typing_extensions.ForwardRef": "typing.ForwardRef",
    "typing_extensions.evaluate_forward_ref": "typing.evaluate_forward_ref",
    "typing_extensions.get_type_hints": "typing.get_type_hints",
}

# Modules of which a policy may allow parts, and whose other parts are the first aim of an attack: an import of one of
# them is justified by what the program uses of it.
IMPORTED_FOR_PARTS = frozenset({"os", "threading", "asyncio", "concurrent", "codecs", "platform"})

# Dotted callables that take an attribute's name: their literal arguments are read as attributes.
ATTRIBUTE_GETTERS = frozenset({"operator.attrgetter", "operator.methodcaller"})
# Builtins that do. `hasattr` is not one: it answers with a bool and hands nothing out.
ATTRIBUTE_BUILTINS = frozenset({"getattr", "setattr", "delattr"})
# Methods of ``object`` that do the same.
ATTRIBUTE_METHODS = frozenset({"__getattribute__", "__setattr__", "__delattr__"})
# Functions that copy attributes by name, and their arguments that hold the names: position, keyword.
ATTRIBUTE_COPIERS = {
    "functools.update_wrapper": ((2, "assigned"), (3, "updated")),
    "functools.wraps": ((1, "assigned"), (2, "updated")),
}
# Functions and methods that take a mapping's key.
KEY_TAKERS = words("get pop setdefault getitem setitem delitem itemgetter __getitem__ __setitem__ __delitem__")

# Dunder attributes of a module that tell only about itself.
MODULE_DUNDERS = frozenset({"__name__", "__doc__", "__version__", "__author__", "__all__"})
# Dunder names that a program may bind or read at module or function level.
PLAIN_DUNDER_NAMES = frozenset(
    {
        "__name__",
        "__doc__",
        "__file__",
        "__all__",
        "__version__",
        "__author__",
        "__debug__",
        "__license__",
        "__date__",
        "__email__",
        "__status__",
        "__maintainer__",
        "__copyright__",
        "__credits__",
        "__title__",
        "__description__",
    }
)
# Keys that turn a namespace dict into power: `__builtins__["__import__"]`, `namespace["__globals__"]`.
POWER_KEYS = words(
    """
    __import__ __builtins__ __globals__ __loader__ __spec__ __subclasses__ __code__ __closure__ __build_class__
    __getattribute__ __bases__ __base__ __mro__ __self__ __reduce__ __reduce_ex__ __traceback__ __func__ __wrapped__
    """
)
# Names whose binding in a class body changes what the interpreter's own machinery reads or runs: string annotations
# are evaluated, and a dataclass or a wrapper copies attributes by name.
CLASS_POWERS = POWER_KEYS - {"__getattribute__", "__reduce__", "__reduce_ex__", "__wrapped__"} | {
    "__annotations__",
    "__annotate__",
    "__dict__",
    "__defaults__",
    "__kwdefaults__",
}
# Attributes that may be read but not replaced: what is put there is evaluated or called by others.
NOT_ASSIGNABLE = frozenset({"__annotations__", "__annotate__", "__dataclass_fields__", "__members__"})
# Private names of the standard library that are its public interface, or harmless and common.
PRIVATE_BUT_PUBLIC = words(
    """
    _asdict _replace _fields _make _field_defaults _field_types _value_ _name_ _missing_ _generate_next_value_ _ignore_
    _order_ _value2member_map_ _member_map_ _member_names_ _sections _actions _
    """
)
# Strings that, in a program which names attributes by data, are the other half of an evasion.
POWER_STRINGS = POWER_KEYS | INTROSPECTION_ATTRIBUTES | PROCESS_ATTRIBUTES | {"__dict__", "system", "_os", "_sys"}
# What an assembled string spells when somebody has something to hide: no honest program puts these together.
ASSEMBLED_WORDS = POWER_STRINGS | words(
    """
    eval exec compile globals getattr setattr breakpoint __class__ __init__ __name__ __subclasshook__ __init_subclass__
    os sys subprocess builtins importlib ctypes pickle marshal socket posix environ popen
    """
)
# Builtins, keywords and modules: what a name made of look-alike letters wants to be taken for.
WELL_KNOWN = frozenset(dir(builtins)) | frozenset(keyword.kwlist) | STDLIB_MODULES

# What to write instead, by module (the longest dotted prefix counts).
MODULE_ADVICE = {
    "os": "use pathlib, or the functions of os for paths and files; a skill has no environment or processes of its own",
    "sys": "return a value or raise an exception; the inputs are arguments of the entrypoint",
    "subprocess": "there are no programs to start in the sandbox; do the work in Python",
    "multiprocessing": "there are no child processes in the sandbox; do the work in one",
    "threading": "do the work in order, or ask for a policy level that allows threads",
    "concurrent": "do the work in order, or ask for a policy level that allows threads",
    "asyncio": "write ordinary functions, or ask for a policy level that allows asyncio",
    "socket": "there is no network in the sandbox; take what is needed from the inputs or the vault",
    "requests": "there is no network in the sandbox; take what is needed from the inputs or the vault",
    "httpx": "there is no network in the sandbox; take what is needed from the inputs or the vault",
    "aiohttp": "there is no network in the sandbox; take what is needed from the inputs or the vault",
    "urllib": "urllib.parse is the part without network; there is no network in the sandbox",
    "http": "there is no network in the sandbox; take what is needed from the inputs or the vault",
    "pickle": "use json",
    "marshal": "use json",
    "shelve": "use json files in the vault",
    "importlib": "write ordinary import statements",
    "inspect": "write out what the program needs to know of itself",
    "ctypes": "stay in Python; native code is not loaded here",
    "tempfile": "write to /tmp with pathlib, or keep the data in memory (io.StringIO, io.BytesIO)",
    "logging": "print(): stdout is kept with the result",
    "sqlite3": "keep the data in memory, or ask for a policy level that allows it",
    "types": "types.SimpleNamespace and types.MappingProxyType are the harmless part",
    "warnings": "warnings.warn is the harmless part",
    "traceback": "traceback.format_exc is the harmless part",
    "ast": "ast.literal_eval is the harmless part",
    "yaml": "use yaml.safe_load and yaml.safe_dump",
}

# What to write instead, by builtin.
BUILTIN_ADVICE = {
    "eval": "use ast.literal_eval or json.loads for data; write the expression out for code",
    "exec": "write the code out",
    "compile": "write the code out (re.compile is another thing and is fine)",
    "__import__": "write an import statement",
    "globals": "keep the values in a dict of your own",
    "locals": "keep the values in a dict of your own",
    "vars": "use dataclasses.asdict, or a dict of your own",
    "dir": "name the attributes",
    "input": "take the value as an argument of the entrypoint; it comes from the run's inputs",
    "breakpoint": "remove it",
    "help": "remove it",
    "exit": "return from the entrypoint or raise an exception",
    "quit": "return from the entrypoint or raise an exception",
    "open": "this level gives no files; take the text from the inputs",
    "setattr": "assign to the attribute by name",
    "delattr": "use `del value.attribute`",
}


def canonical(dotted: str) -> str:
    """The name of what ``dotted`` is, where a standard module re-exports it."""
    return RE_EXPORTS.get(dotted, dotted)


def is_dunder(name: str) -> bool:
    """Whether ``name`` has the form ``__x__``."""
    return DUNDER.match(name) is not None


def prefixes(dotted: str) -> tuple[str, ...]:
    """``a.b.c`` -> ``("a.b.c", "a.b", "a")``: longest first."""
    parts = dotted.split(".")
    return tuple(".".join(parts[:end]) for end in range(len(parts), 0, -1))


def advice_for(dotted: str) -> str:
    """What to write instead of ``dotted``, or ""."""
    return next((MODULE_ADVICE[prefix] for prefix in prefixes(dotted) if prefix in MODULE_ADVICE), "")
