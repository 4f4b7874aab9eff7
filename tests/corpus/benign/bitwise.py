def to_binary(n, width=8):
    return format(n & (1 << width) - 1, f"0{width}b")


def parity(n):
    result = 0
    while n:
        result ^= n & 1
        n >>= 1
    return result


def xor_swap(a, b):
    a ^= b
    b ^= a
    a ^= b
    return a, b


def single_number(numbers):
    acc = 0
    for n in numbers:
        acc ^= n
    return acc


def subsets(items):
    return [[items[i] for i in range(len(items)) if mask >> i & 1] for mask in range(1 << len(items))]


FLAGS = {"read": 1 << 0, "write": 1 << 1, "exec": 1 << 2}
result = [to_binary(-5), parity(7), xor_swap(3, 9), single_number([1, 2, 1]), len(subsets("abc")), FLAGS["exec"] | FLAGS["read"]]
