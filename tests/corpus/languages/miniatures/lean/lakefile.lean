import Lake
open Lake DSL

package «orders» where
  moreServerArgs := #["-DautoImplicit=false"]

require mathlib from git "https://example.org/mathlib4.git"

@[default_target]
lean_lib «Orders» where
