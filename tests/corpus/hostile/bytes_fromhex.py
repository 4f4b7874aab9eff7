# expect: ORC501 at all
bytes.fromhex("6576616c").decode()
