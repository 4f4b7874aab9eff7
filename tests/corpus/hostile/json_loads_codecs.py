# expect: ORC104 at all
import json
json.codecs
