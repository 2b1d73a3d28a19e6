import Lean
open Lean Elab Tactic

elab "solve_it" : tactic => do
  let goal ← getMainGoal
  goal.assumption

macro "again" : tactic => `(tactic| first | rfl | assumption)

example : 1 = 1 := by again
