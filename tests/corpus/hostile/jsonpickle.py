# expect: ORC101 at all
import jsonpickle
