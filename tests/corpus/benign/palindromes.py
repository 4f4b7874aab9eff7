import re


def is_palindrome(s: str) -> bool:
    """
    Check if string reads the same forwards and backwards.

    >>> is_palindrome("A man, a plan, a canal: Panama")
    True
    """
    cleaned = re.sub(r"[^a-z0-9]", "", s.lower())
    return cleaned == cleaned[::-1]


def longest_palindrome(s):
    best = ""
    for i in range(len(s)):
        for left, right in ((i, i), (i, i + 1)):
            while left >= 0 and right < len(s) and s[left] == s[right]:
                left -= 1
                right += 1
            if right - left - 1 > len(best):
                best = s[left + 1 : right]
    return best


def main(words: list):
    reverse = "level"[::-1]
    return {"ok": [w for w in words if is_palindrome(w)], "long": longest_palindrome("babad"), "same": reverse}
