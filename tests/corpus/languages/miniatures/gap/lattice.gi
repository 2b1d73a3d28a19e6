InstallMethod( Meet, "for two lattices", [ IsMyLattice, IsMyLattice ],
function( a, b )
  local basis;
  basis := SumIntersectionMat( a!.basis, b!.basis )[2];
  return LatticeByBasis( basis );
end );
