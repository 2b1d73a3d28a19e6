f := x -> x^2 mod 7;
l := List([1..6], f);
if Length(Set(l)) < 6 then Print("not a permutation\n"); fi;
