(* This file was automatically generated from shapes.ott *)
Inductive shape : Set := round | square.
