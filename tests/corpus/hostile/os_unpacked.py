# expect: ORC402 at all
import os

a, b = os, os.sep
result = a.system("id")
