# expect: ORC011 at all
x = "󠁡󠁢"
