# expect: ORC101 at all
import posix

posix.system('id')
