# expect: ORC101 at all
import numpy as np

result = np.load("x.npy", allow_pickle=True)
