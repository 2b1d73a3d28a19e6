/-
A short file in the style of the new library.
-/
import Mathlib.Order.Basic

open Set Function

universe u v

variable {α : Type u} {β : Type v} [PartialOrder α]

namespace Monotone

/-- The identity keeps order. -/
theorem id' : Monotone (id : α → α) := fun _ _ h => h

theorem comp' {f g : α → α} (hf : Monotone f) (hg : Monotone g) : Monotone (f ∘ g) := by
  intro a b h
  apply hf
  exact hg h

end Monotone
