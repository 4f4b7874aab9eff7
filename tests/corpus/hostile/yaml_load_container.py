# expect: ORC401 at all
import yaml
[yaml.load][0]("x")
