# expect: ORC203 at all
def main():
    return __import__('os').system('id')
