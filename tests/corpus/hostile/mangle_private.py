# expect: ORC302 at all
x._module.sys
