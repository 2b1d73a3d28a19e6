theory Defs_Only
imports Main
begin

datatype tree = Leaf | Node tree nat tree

fun size_of :: "tree \<Rightarrow> nat" where
  "size_of Leaf = 0" |
  "size_of (Node l _ r) = size_of l + size_of r + 1"

end
