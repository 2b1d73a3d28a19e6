gap> G := AlternatingGroup(5);
Alt( [ 1 .. 5 ] )
gap> IsSimple(G);
true
