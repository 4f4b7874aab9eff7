def vigenere(text, key, mode="encrypt"):
    key = [ord(k.lower()) - 97 for k in key if k.isalpha()]
    out, i = "", 0
    for ch in text:
        if ch.isalpha():
            offset = 65 if ch.isupper() else 97
            k = key[i % len(key)]
            if mode == "decrypt":
                k = -k
            out += chr((ord(ch) - offset + k) % 26 + offset)
            i += 1
        else:
            out += ch
    return out


cipher = vigenere("Attack at dawn", "lemon")
result = [cipher, vigenere(cipher, "lemon", mode="decrypt")]
