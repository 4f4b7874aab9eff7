# expect: ORC006 at all
def main():
    access = 'user‮ ⁦# only admins⁩ ⁦'
    return access
