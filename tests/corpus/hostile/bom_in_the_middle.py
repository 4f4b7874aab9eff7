# expect: ORC011 at all
a = "x﻿y"
