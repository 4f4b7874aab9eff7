# expect: ORC203 at all
i = __import__
