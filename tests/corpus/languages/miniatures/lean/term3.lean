import data.nat.prime

theorem exists_prime_above (n : ℕ) : ∃ p, n ≤ p ∧ nat.prime p :=
let ⟨p, hp, h⟩ := nat.exists_infinite_primes n in ⟨p, hp, h⟩
