/-
A short file in the style of the old library.
-/
import order.basic
import data.set.lattice

open set function
open_locale classical

universes u v
variables {α : Type u} {β : Type v} [partial_order α]

namespace monotone

/-- The identity keeps order. -/
lemma id' : monotone (id : α → α) := λ a b h, h

theorem comp' {f g : α → α} (hf : monotone f) (hg : monotone g) : monotone (f ∘ g) :=
begin
  intros a b h,
  apply hf,
  exact hg h,
end

end monotone
