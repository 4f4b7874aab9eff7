# expect: ORC011 at all
KEY = "adm‍in"
