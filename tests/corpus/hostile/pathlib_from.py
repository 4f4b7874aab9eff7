# expect: ORC104 at all
from pathlib import os
