# expect: ORC304 at all
b"{0.__class__}".decode().format(1)
