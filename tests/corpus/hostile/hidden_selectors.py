# expect: ORC011 at all
NOTE = "hello󠅁󠅂󠅃󠅄"
