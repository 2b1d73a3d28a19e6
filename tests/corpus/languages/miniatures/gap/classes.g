# Conjugacy classes of a small group.
LoadPackage("ctbllib");
G := Group((1,2,3,4), (1,2));
for c in ConjugacyClasses(G) do
    Print(Order(Representative(c)), "\n");
od;
