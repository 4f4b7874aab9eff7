# expect: ORC304 at all
("{0.%sclass%s}" % ("__", "__")).format(1)
