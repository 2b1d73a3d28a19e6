(* ::Package:: *)

(* ::Title:: *)
(*Orbits of a map*)

BeginPackage["Orbits`"];
Orbit::usage = "Orbit[f, x, n] lists n points of an orbit.";
Begin["`Private`"];
Orbit[f_, x_, n_Integer] := NestList[f, x, n - 1];
End[];
EndPackage[];
