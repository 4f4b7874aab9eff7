# expect: ORC104 at all
import enum
enum.bltns.exec("1")
