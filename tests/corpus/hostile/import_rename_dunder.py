# expect: ORC203 at all
import json as __loader__
