# expect: ORC105 at all
import importlib._bootstrap
