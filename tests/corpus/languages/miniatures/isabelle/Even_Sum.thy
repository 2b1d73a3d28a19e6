theory Even_Sum
  imports Main "HOL-Number_Theory.Number_Theory"
begin

text \<open>The sum of two even numbers is even.\<close>

lemma even_sum:
  fixes a b :: nat
  assumes "even a" and "even b"
  shows "even (a + b)"
  using assms by simp

end
