import Mathlib.Data.Nat.Prime

theorem exists_prime_above (n : ℕ) : ∃ p, n ≤ p ∧ Nat.Prime p :=
  let ⟨p, hp, h⟩ := Nat.exists_infinite_primes n
  ⟨p, hp, h⟩
