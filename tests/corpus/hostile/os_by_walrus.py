# expect: ORC402 at all
import os

result = (o := os).system("id"), os.sep
