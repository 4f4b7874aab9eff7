# expect: ORC402 at all
import os
getattr(os, "sys" + "tem")("id")
