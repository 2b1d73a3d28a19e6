module Data.Vectors

%default total

public export
data Row : Nat -> Type -> Type where
  Nil  : Row Z a
  (::) : a -> Row n a -> Row (S n) a

append : Row n a -> Row m a -> Row (n + m) a
append [] ys = ys
append (x :: xs) ys = x :: append xs ys
