section \<open>Groups once more\<close>

theory Group_Locale imports Complex_Main begin

locale grp =
  fixes mult :: "'a \<Rightarrow> 'a \<Rightarrow> 'a" (infixl "\<cdot>" 70) and unit :: 'a ("\<one>")
  assumes assoc: "(x \<cdot> y) \<cdot> z = x \<cdot> (y \<cdot> z)"
    and left_unit: "\<one> \<cdot> x = x"
begin

theorem unit_square: "\<one> \<cdot> \<one> = \<one>"
  by (rule left_unit)

end

end
