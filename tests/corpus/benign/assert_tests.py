def slugify(title):
    return "-".join("".join(c for c in word if c.isalnum()) for word in title.lower().split())


def test_slugify():
    assert slugify("Hello World") == "hello-world"
    assert slugify("  A  b ") == "a-b"
    assert slugify("What's up?") == "whats-up"


def run_tests(*tests):
    passed = failed = 0
    for test in tests:
        try:
            test()
        except AssertionError as error:
            failed += 1
            print(f"FAIL {test.__name__}: {error}")
        else:
            passed += 1
            print(f"ok   {test.__name__}: {(test.__doc__ or '').strip()}")
    return {"passed": passed, "failed": failed}


def main():
    return run_tests(test_slugify)
