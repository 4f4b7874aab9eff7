# expect: ORC501 at all
import codecs
codecs.decode("riny", "rot13")
