module PlusComm

plusZero : (n : Nat) -> n = n + 0
plusZero Z     = Refl
plusZero (S k) = cong S (plusZero k)
