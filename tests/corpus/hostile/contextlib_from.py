# expect: ORC104 at all
from contextlib import os
