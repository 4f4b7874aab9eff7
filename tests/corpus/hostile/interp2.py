# expect: ORC101 at all
import concurrent.interpreters
