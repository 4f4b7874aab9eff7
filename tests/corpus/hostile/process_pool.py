# expect: ORC101 at all
from concurrent.futures import ProcessPoolExecutor
