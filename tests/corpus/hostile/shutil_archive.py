# expect: ORC401 at standard relaxed
import shutil

def main():
    shutil.unpack_archive('/vault/x.zip', '/')
