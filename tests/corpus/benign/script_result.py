# a script without an entrypoint
import statistics as st

numbers = [int(x) for x in "3 1 4 1 5".split()]
result = {"mean": st.mean(numbers), "sorted": sorted(numbers), "total": sum(numbers)}
print(f"{result['mean']:.2f} of {len(numbers)!r:>5}")
