# expect: ORC103 at all
from . import secrets

def main():
    return secrets
