# expect: ORC403 at all
def main(connection):
    connection.enable_load_extension(True)
    connection.load_extension('x')
