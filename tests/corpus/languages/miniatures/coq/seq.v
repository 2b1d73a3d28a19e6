(* Uses the wires of a diagram only as a figure of speech. *)
From mathcomp Require Import all_ssreflect.
Set Implicit Arguments.
Lemma addn2 n : n + 2 = n.+2.
Proof. by rewrite addn2. Qed.
