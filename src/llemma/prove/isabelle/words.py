"""The words and symbols of Isar that a proof may be made of, and those it may not.

What a model writes is checked against the lists of what is allowed (`COMMANDS`, `METHODS`, `ATTRIBUTES`, `CONTROLS`,
`UNICODE`). The list of reserved words only tells a command that is not allowed from the name of a fact.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALONE = _words("next { } done back . .. moreover ultimately")
"""Commands of a proof with nothing behind them. Those that end a proof are here or in `METHODICAL`: so what follows the
end of the whole proof begins with a command of a proof, and Isabelle knows none at that place."""

METHODICAL = _words("by apply proof qed")
"""Commands of a proof that methods stand behind."""

STATING = _words(
    """
    have show hence thus obtain consider fix assume presume define let case subgoal
    using unfolding from with then note supply also finally defer prefer
    """
)
"""Commands of a proof that state, name or use something."""

COMMANDS = ALONE | METHODICAL | STATING

GAP = frozenset({"sledgehammer", "normalhammer"})
"""What stands for a step to be found (Llemma's prompts use the first, its checker the second)."""

CHEATS = {
    "sorry": "skips the proof",
    "oops": "abandons the proof",
    "\\<proof>": "skips the proof",
    "tactic": "runs ML",
    "raw_tactic": "runs ML",
    "quick_and_dirty": "skips proofs",
    "skip_proofs": "skips proofs",
    "smt_oracle": "trusts a solver",
    "skip_proof": "skips the proof",
    "cheat": "skips the proof",
    "cheat_tac": "skips the proof",
}
"""Words refused wherever they stand outside of strings, and what they do."""

# commands of theories and of tools, of Pure, HOL and HOL-Library, as their `keywords` declare them
RESERVED = _words(
    """
    theory begin end chapter section subsection subsubsection paragraph subparagraph text txt text_raw
    ML ML_file ML_file_debug ML_file_no_debug ML_export ML_prf ML_val ML_command SML_file SML_file_debug
    SML_file_no_debug SML_import SML_export setup local_setup attribute_setup method_setup declaration
    syntax_declaration simproc_setup parse_ast_translation parse_translation print_translation
    typed_print_translation print_ast_translation oracle external_file bibtex_file ROOTS_file
    generate_file export_generated_files scala_build_generated_files compile_generated_files export_files
    default_sort typedecl type_synonym nonterminal judgment consts syntax no_syntax translations no_translations
    definition abbreviation type_notation no_type_notation notation no_notation alias type_alias axiomatization
    lemmas declare hide_class hide_type hide_const hide_fact named_theorems
    bundle open_bundle unbundle include including context locale experiment interpret interpretation
    global_interpretation sublocale class subclass instantiation instance overloading code_datatype
    theorem lemma corollary proposition schematic_goal notepad guess write apply_end
    realizers realizability extract_type extract
    help welcome print_commands print_options print_context print_theory print_definitions print_syntax print_abbrevs
    print_defn_rules print_theorems print_locales print_classes print_locale print_interps print_attributes
    print_simpset print_rules print_trans_rules print_methods print_antiquotations print_ML_antiquotations thy_deps
    locale_deps class_deps thm_deps thm_oracles print_term_bindings print_facts print_cases print_statement print_state
    print_bundles print_codesetup unused_thms display_drafts prf full_prf find_theorems find_consts find_unused_assms
    thm term prop typ value values values_prolog test_code code_deps code_thms
    datatype datatype_compat codatatype datatype_new old_rep_datatype rep_datatype free_constructors bnf lift_bnf
    copy_bnf bnf_axiomatization primrec primcorec primcorecursive corec corecursive friend_of_corec
    inductive coinductive inductive_set coinductive_set inductive_cases inductive_simps
    function fun fun_cases partial_function termination recdef recdef_tc
    typedef record specification ax_specification quotient_type quotient_definition lift_definition lifting_update
    lifting_forget setup_lifting local_setup_lifting lift_hom functor adhoc_overloading no_adhoc_overloading
    case_of_simps simps_of_case quickcheck quickcheck_params quickcheck_generator nitpick nitpick_params refute
    refute_params sledgehammer_params try try0 solve_direct print_bnfs print_quotmaps print_quotconsts print_quotients
    print_quotmapsQ3 print_quot_maps print_inductives print_case_translations print_record
    smt_status boogie_file spark_open spark_vc import_file import_tptp import_type_map import_const_map
    code_printing code_identifier code_reserved code_monad code_reflect code_pred export_code code_module code_include
    code_class code_instance code_type code_const code_abort code_modulename
    method cartouche term_cartouche text_cartouche mutual_inductive statespace derive approximate
    """
)

METHODS = _words(
    """
    auto simp simp_all blast fast fastforce slow best slowsimp bestsimp force clarify clarsimp safe
    eval normalization code_simp presburger sos arith linarith algebra ring field argo satx iprover meson metis smt
    order rule erule drule frule intro elim intro_classes rule_tac erule_tac drule_tac frule_tac cut_tac thin_tac
    subgoal_tac rename_tac insert this assumption fact standard default contradiction unfold fold subst hypsubst
    hypsubst_thin simplesubst cases case_tac induct induct_tac induction coinduct coinduction goal_cases split
    ext fail succeed atomize atomize_elim use
    transfer transfer_prover approximation reify reflection
    unfold_locales intro_locales pat_completeness lexicographic_order size_change relation
    """
)
"""Methods of HOL and HOL-Library that take no ML. `use` alone takes a method among its arguments."""

ATTRIBUTES = _words(
    """
    OF of where THEN COMP symmetric simplified rule_format unfolded folded rotated standard abs_def elim_format
    no_vars case_names case_conclusion params consumes simp intro elim dest iff cong split trans sym rule induct cases
    algebra arith presburger linarith_split mono untransferred transferred transfer_rule to_set to_pred atomize
    """
)
"""Attributes of facts; none of them an option of the prover."""

CONTROLS = frozenset(f"\\<^{name}>" for name in ("sub", "sup", "bold", "bsub", "esub", "bsup", "esup"))
"""Control symbols allowed in terms: how letters look. All others (`\\<^ML>` and the like) embed another language."""

NOTATIONS = _words("infix infixl infixr binder structure overloaded open")
"""Words that change how terms are read."""

_CODES = _words(
    """
    open:2039 close:203a forall:2200 exists:2203 nexists:2204 and:2227 or:2228 not:00ac
    longrightarrow:27f6 Longrightarrow:27f9 rightarrow:2192 Rightarrow:21d2 leftarrow:2190 Leftarrow:21d0
    longleftrightarrow:27f7 Longleftrightarrow:27fa leftrightarrow:2194 mapsto:21a6 And:22c0 Or:22c1
    le:2264 ge:2265 noteq:2260 equiv:2261 approx:2248 in:2208 notin:2209 subset:2282 subseteq:2286
    supset:2283 supseteq:2287 union:222a inter:2229 Union:22c3 Inter:22c2 emptyset:2205 times:00d7 div:00f7
    cdot:22c5 circ:2218 bullet:2219 plusminus:00b1 Sum:2211 Prod:220f integral:222b infinity:221e surd:221a
    dots:2026 lambda:03bb alpha:03b1 beta:03b2 gamma:03b3 delta:03b4 epsilon:03b5 zeta:03b6 eta:03b7
    theta:03b8 iota:03b9 kappa:03ba mu:03bc nu:03bd xi:03be pi:03c0 rho:03c1 sigma:03c3 tau:03c4
    upsilon:03c5 phi:03c6 chi:03c7 psi:03c8 omega:03c9 Gamma:0393 Delta:0394 Theta:0398 Lambda:039b Xi:039e
    Pi:03a0 Sigma:03a3 Phi:03a6 Psi:03a8 Omega:03a9 nat:2115 int:2124 rat:211a real:211d complex:2102
    langle:27e8 rangle:27e9 lfloor:230a rfloor:230b lceil:2308 rceil:2309 bar:00a6 degree:00b0
    top:22a4 bottom:22a5 turnstile:22a2 lbrakk:27e6 rbrakk:27e7
    lparr:2987 rparr:2988
    """
)
UNICODE = str.maketrans({chr(int(code, 16)): f"\\<{name}>" for name, code in (item.split(":") for item in _CODES)})
"""Characters that Isabelle reads as symbols; outside of comments a proof may have no other beyond ASCII."""
