# expect: ORC401 at all
import sys
sys.path.insert(0, "/tmp")
