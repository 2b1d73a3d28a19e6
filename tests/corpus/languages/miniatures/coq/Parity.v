From Coq Require Import Arith Lia.

Fixpoint even (n : nat) : bool :=
  match n with
  | 0 => true
  | S n => negb (even n)
  end.

Lemma even_double n : even (n + n) = true.
Proof.
  induction n as [|n IH]; [reflexivity|].
  rewrite Nat.add_succ_r; cbn. now rewrite IH.
Qed.
