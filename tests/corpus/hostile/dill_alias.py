# expect: ORC101 at all
import dill as json

result = json.loads(b"")
