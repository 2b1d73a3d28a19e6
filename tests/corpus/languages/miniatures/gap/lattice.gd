#############################################################################
##
##  lattice.gd            A package of lattices
##
DeclareCategory( "IsMyLattice", IsObject );
DeclareAttribute( "Rank", IsMyLattice );
DeclareOperation( "Meet", [ IsMyLattice, IsMyLattice ] );
