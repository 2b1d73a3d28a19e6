# draws how the rod cools
set term pngcairo size 800,600
set output 'heat.png'
set logscale y
f(x) = a*exp(-b*x)
fit f(x) 'heat.dat' using 1:2 via a,b
plot 'heat.dat' using 1:2 with points title "measured", f(x) with lines
