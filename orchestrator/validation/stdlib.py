"""Every top-level module of the standard library, by what it can do for somebody who wants out: facts, no verdicts.

The names are the union of ``sys.stdlib_module_names`` of CPython 3.11, 3.12 and 3.13 (measured) and those that the
release notes of 3.14 and 3.15 add. ``tests/unit/validation_scan/test_scan_stdlib.py`` fails when the Python at hand has
a name that is not here: a new module is looked at by a person before any policy can allow it. Which classes a level may
use is the policy's business; the same test holds the shipped policies against ``REACHES_OUT``.
"""

from __future__ import annotations

from types import MappingProxyType

CLASSES = MappingProxyType(
    {
        # Computes, or reads and writes what it is handed.
        "pure": """
            abc argparse array base64 binascii bisect bz2 calendar cmath collections colorsys configparser contextlib
            contextvars copy csv dataclasses datetime decimal difflib enum errno fractions functools getopt graphlib
            gzip hashlib heapq hmac html io ipaddress itertools json keyword lzma math mimetypes netrc numbers operator
            optparse pprint queue quopri random re reprlib secrets shlex stat statistics string stringprep struct
            textwrap time token tomllib typing unicodedata uu uuid weakref wave xdrlib xml zlib zoneinfo compression
            gettext sndhdr imghdr chunk audioop aifc sunau plistlib nturl2path binhex __future__ this cmd asynchat
        """,
        # Files and directories: confined by Landlock, the mount and the tmpfs, whatever it is called with.
        "files": """
            pathlib glob fnmatch shutil tempfile filecmp fileinput linecache zipfile tarfile mailbox mailcap dbm sqlite3
            genericpath posixpath ntpath
        """,
        # Parts are ordinary, parts are power: a policy allows such a module by the names in it.
        "mixed": """
            os sys types ast warnings traceback logging email urllib platform locale codecs asyncio threading
            concurrent sched tokenize wsgiref getpass timeit
        """,
        # Runs text or parts of text as code, by design or on the side.
        "code": """
            bdb cProfile code codeop compileall doctest idlelib lib2to3 modulefinder pdb profile profiling pstats
            py_compile pyclbr pydoc pydoc_data rlcompleter runpy trace unittest venv zipapp ensurepip distutils
            tabnanny turtledemo annotationlib
        """,
        # The import system.
        "import": "importlib imp pkgutil zipimport site sysconfig encodings",
        # Turns data into objects of any class.
        "deserialiser": "pickle pickletools marshal shelve copyreg",
        # The interpreter's inside: frames, code, the heap, namespaces.
        "interpreter": "builtins gc inspect dis opcode symtable tracemalloc faulthandler atexit",
        # Native code and raw memory.
        "native": "ctypes mmap",
        # Starts processes.
        "process": "subprocess multiprocessing pty pipes posix nt cgi cgitb",
        # Talks to others.
        "network": """
            asyncore ftplib http imaplib nntplib poplib select selectors smtpd smtplib socket socketserver ssl telnetlib
            xmlrpc webbrowser antigravity
        """,
        # The machine: users, terminals, signals, limits, devices.
        "system": """
            crypt curses fcntl grp msilib msvcrt nis ossaudiodev pwd readline resource signal spwd syslog termios tty
            winreg winsound turtle tkinter pyexpat sre_compile sre_constants sre_parse
        """,
        # The inside of the others. No skill imports these.
        "internal": """
            _abc _aix_support _android_support _apple_support _ast _ast_unparse _asyncio _bisect _blake2 _bootsubprocess
            _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections
            _collections_abc _colorize _compat_pickle _compression _contextvars _crypt _csv _ctypes _curses
            _curses_panel _datetime _dbm _decimal _elementtree _frozen_importlib _frozen_importlib_external _functools
            _gdbm _hashlib _heapq _hmac _imp _interpchannels _interpqueues _interpreters _io _ios_support _json _locale
            _lsprof _lzma _markupbase _md5 _msi _multibytecodec _multiprocessing _opcode _opcode_metadata _operator
            _osx_support _overlapped _pickle _posixshmem _posixsubprocess _py_abc _py_warnings _pydatetime _pydecimal
            _pyio _pylong _pyrepl _queue _random _remote_debugging _scproxy _sha1 _sha2 _sha256 _sha3 _sha512 _signal
            _sitebuiltins _socket _sqlite3 _sre _ssl _stat _statistics _string _strptime _struct _suggestions _symtable
            _sysconfig _thread _threading_local _tkinter _tokenize _tracemalloc _types _typing _uuid _warnings _weakref
            _weakrefset _winapi _wmi _xxsubinterpreters _xxinterpchannels _zoneinfo _zstd
        """,
    }
)

# Class by module.
STDLIB = MappingProxyType({name: kind for kind, listed in CLASSES.items() for name in listed.split()})

# Classes of which no shipped policy allows anything.
REACHES_OUT = frozenset(
    {"code", "import", "deserialiser", "interpreter", "native", "process", "network", "system", "internal"}
)
