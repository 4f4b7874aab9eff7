# expect: ORC501 at all
def main(run):
    return run(bytes.fromhex("696d706f7274206f73").decode())
