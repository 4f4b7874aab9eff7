# expect: ORC401 at strict standard
import os
os.environ
