"""The words of the grammar: which tactics there are, and which words no proof step may hold.

A tactic is allowed by being listed. Words that begin a command, close a gap without a proof, trust compiled code, run
programs or only make suggestions are refused wherever they stand, because a keyword needs no new line to begin a
command. Sources: Lean's reference manual (commands, tactics) and Mathlib's lists of commands and tactics.
"""

from __future__ import annotations


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


TACTICS = _split(
    """
    abel abel1 abel_nf ac_nf ac_nf0 ac_rfl aesop aesop_cat aesop_graph aesop_mat algebraize all_goals and_intros
    any_goals apply apply_assumption apply_ext_theorem apply_fun apply_mod_cast apply_rewrite apply_rfl apply_rules
    apply_rw arith_mult assumption assumption' assumption_mod_cast attempt_all beta_reduce bicategory
    bicategory_coherence borelize bound bv_omega by_cases by_cases! by_contra by_contra! calc cancel_denoms case
    case' cases cases' cases_type cases_type! casesm casesm! cc change change_with choose choose! classical clean
    clear clear_aux_decl clear_value coherence compute_degree compute_degree! congr congr! congr_exact congrm
    constructor constructorm continuity contradiction contrapose contrapose! conv conv' conv_lhs conv_rhs convert
    convert_to cutsat decide decide! delta discrete_cases done dsimp dsimp! eapply econstructor elementwise enter
    eq_refl erw eta_expand eta_reduce eta_struct exact exact_mod_cast exacts exfalso exists existsi ext ext1
    extract_lets fail_if_no_progress fail_if_success false_or_by_contra fapply fconstructor field field_simp
    filter_upwards fin_cases fin_omega first focus fun_cases fun_induction fun_prop funext gcongr generalize
    generalize' generalize_proofs get_elem_tactic get_elem_tactic_trivial grewrite grind grobner group grw guard_hyp
    guard_target have have' haveI haveI' if induction induction' infer_instance infer_param inhabit injection
    injections interval_cases intro intros introv itauto itauto! iterate left let let' letI letI' lia lift lift_lets
    linarith linarith! linear_combination linear_combination' linear_combination2 linear_combination_exp map_tacs
    match match_scalars measurability measurability! mfld_set_tac mod_cases module module_nf monicity monicity! mono
    monoidal monoidal_coherence move_add move_mul move_oper next nlinarith nlinarith! nofun nomatch noncomm_ring
    nontriviality norm_cast norm_cast0 norm_num norm_num1 nth_grewrite nth_rewrite nth_rw obtain omega on_goal order
    peel pick_goal pnat_positivity pnat_to_nat positivity pull pull_end pure_coherence push push_cast push_neg qify
    rcases rcongr reduce reduce_mod_char reduce_mod_char! refine refine' refine_lift refine_lift' refold_let rel
    rename rename' rename_bvar rename_i repeat repeat' repeat1 repeat1' replace revert rewrite rfl rfl' rfl_cat rify
    right ring ring! ring1 ring1! ring1_nf ring1_nf! ring_nf ring_nf! rintro rotate_left rotate_right rsuffices rw
    rw_mod_cast rwa saturate set set! show simp simp! simp_all simp_all! simp_all_arith simp_all_arith! simp_arith
    simp_arith! simp_intro simp_rw simp_wf simpa simpa! skip slice_lhs slice_rhs solve solve_by_elim specialize
    split split_ands split_ifs star_exists subsingleton subst subst' subst_eqs subst_vars substs suffices swap
    swap_var symm symm_saturate tauto tfae_finish tfae_have trans transitivity triv trivial try unfold unfold_let
    unfold_projs unhygienic unit_interval use use! valid volume_tac whnf with_reducible with_reducible_and_instances
    with_unfolding_all with_unfolding_none wlog wlog! zify
    """
)
"""Names that a tactic may begin with: Lean's own, Batteries', Aesop's and Mathlib's."""

THEN_TACTIC = _split("by try repeat repeat' repeat1 repeat1' all_goals any_goals focus classical unhygienic")
"""Words that a tactic follows at once."""

_COMMANDS = _split(
    """
    abbrev add_aesop_rules add_decl_doc alias app_delab app_unexpander assert_exists assert_imported
    assert_no_cyclic_imports assert_not_exists assert_not_imported attribute axiom binder_predicate
    binder_predicates builtin_dsimproc builtin_dsimproc_decl builtin_initialize builtin_simproc builtin_simproc_decl
    class coinductive coinductive_fixpoint compile_def compile_inductive constant count_heartbeats
    declare_aesop_rule_sets declare_bitwise_int_theorems declare_bitwise_uint_theorems declare_command_config_elab
    declare_config_elab declare_config_getter declare_int_theorems declare_simp_like_tactic declare_sint_simprocs
    declare_syntax_cat declare_uint_simprocs declare_uint_theorems decreasing_by def deprecated_module deriving
    docs_to_verso dsimproc dsimproc_decl elab elab_rules end erase_aesop_rules example export extend_docs
    gen_injective_theorems grind_pattern import include inductive inductive_fixpoint infix infixl infixr
    init_grind_norm init_quot initialize initialize_simps_projections insert_to_additive_translation instance
    irreducible_def lemma library_note local macro macro_rules meta mk_iff_of_inductive_prop mk_simp_attribute
    mutual namespace no_expose noncomputable nonrec notation notation3 omit opaque open partial partial_fixpoint
    postfix prefix private proof_wanted protected public recall recommended_spelling register_aesop_option
    register_builtin_option register_builtin_parser register_error_explanation register_grind_attr register_hint
    register_label_attr register_linter_set register_option register_parser_alias register_simp_attr
    register_simps_attr register_sym_simp register_tactic_tag register_to_additive remove_deprecated_modules reprove
    reset_grind_attrs run_cmd run_conv run_elab run_meta run_tac scoped seal section set_library_suggestions
    set_option set_premise_selector simproc simproc_decl structure suppress_compilation syntax tactic_extension
    termination_by test_extern theorem unif_hint universe universes unlock_limits unsafe unseal
    unsuppress_compilation variable variable? variables whatsnew where with_panel_widgets with_weak_namespace
    """
)
_GAPS = _split("sorry admit stop sorryAx plausible slim_check recover")
_NATIVE = _split(
    """
    native native_decide bv_decide bv_check bv_normalize ofReduceBool ofReduceNat reduceBool reduceNat trustCompiler
    implemented_by extern lcProof lcUnreachable lcAny unsafeCast unsafeBaseIO unsafeEIO ptrAddrUnsafe
    """
)
_PROGRAMS = _split(
    """
    by_elab evalTactic include_str include_bytes polyrith sage sleep sleep_heartbeats
    dbg_trace dbg_trace_if_shared dbg_stack_trace dbg_sleep dbgTrace dbgTraceVal dbgTraceIfShared dbgSleep
    dbgStackTrace llmstep suggest_tactics Lean IO System Elab Meta MetaM TacticM TermElabM CommandElabM CoreM BaseIO EIO
    Qq Mathlib Batteries Aesop ProofWidgets LeanSearchClient Plausible ImportGraph Cli
    """
)
_SUGGESTIONS = _split("hint says library_search suggest observe? show_term extract_goal try? try_suggestions")

REASONS = {
    **dict.fromkeys(_COMMANDS, "it begins or belongs to a command"),
    **dict.fromkeys(_PROGRAMS, "it runs a program"),
    **dict.fromkeys(_SUGGESTIONS, "it searches and suggests, and proves nothing itself"),
    **dict.fromkeys(_NATIVE, "it trusts compiled code"),
    **dict.fromkeys(_GAPS, "it leaves a gap"),
}
"""Why a word is refused."""

ANYWHERE = _NATIVE - {"native"} | {"sorry", "sorryAx"}
"""Words that are refused as any part of a dotted name, because some constant of that name is the cheat itself."""
