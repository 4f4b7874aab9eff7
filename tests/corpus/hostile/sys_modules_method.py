# expect: ORC401 at all
import sys
sys.modules.get("os")
