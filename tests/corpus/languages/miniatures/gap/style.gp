reset
set style line 1 lc rgb '#0060ad' lt 1 lw 2
set xrange [0:10]
splot x**2 - y**2
