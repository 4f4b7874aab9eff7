# expect: ORC101 at all
import signal

signal.alarm(0)
