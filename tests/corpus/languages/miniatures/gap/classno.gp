/* class numbers of imaginary quadratic fields */
h(d) = quadclassunit(d).no;
for(d = 3, 200, if(isfundamental(-d), print(-d, " ", h(-d))));
