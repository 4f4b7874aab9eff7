# expect: ORC101 at all
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import ctypes
