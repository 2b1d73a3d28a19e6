import tactic.core
open tactic

meta def solve_it : tactic unit :=
do t ← target,
   trace t,
   assumption <|> reflexivity

example : 1 = 1 := by solve_it
