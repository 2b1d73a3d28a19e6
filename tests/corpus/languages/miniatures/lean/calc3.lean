import tactic

example (a b : ℤ) (h : a = b) : a + b = b + b :=
by { rw h }

example (x : ℤ) : x * 1 = x := by simp
