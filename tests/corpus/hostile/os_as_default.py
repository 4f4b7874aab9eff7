# expect: ORC402 at all
import os

def main(o=os):
    return o.system("id"), os.sep
