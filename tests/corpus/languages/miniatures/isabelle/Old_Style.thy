(*  An old theory, from before Isar.  *)

Old_Style = Nat +

consts
  double :: nat => nat

defs
  double_def  "double n == n + n"

end
