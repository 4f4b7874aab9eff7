# expect: ORC401 at all
import yaml
l = yaml.load
l("x", Loader=None)
