# expect: ORC302 at all
import abc
abc.ABCMeta._dump_registry
