# expect: ORC202 at all
(g := getattr)((), "__class__")
