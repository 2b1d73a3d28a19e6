theory Unicode_Symbols imports Main
begin
corollary ex1: ‹∃x. x = (1 :: nat)› by blast
end
