# expect: ORC301 at all
def main(x):
    return x.__𝒸𝓁𝒶𝓈𝓈__.__base__
