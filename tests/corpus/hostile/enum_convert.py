# expect: ORC302 at all
import enum
E = enum.Enum._convert_('E', 'os', lambda n: n == 'system')
E.system('id')
