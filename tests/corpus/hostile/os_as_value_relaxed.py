# expect: ORC402 at relaxed
import os

def main(name):
    return getattr(os, 'sys' 'tem')('id')
