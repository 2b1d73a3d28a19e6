data = Table[{x, Sin[x]/x}, {x, 0.1, 10, 0.1}];
ListPlot[data, PlotRange -> All, AxesLabel -> {"x", "y"}]
Solve[x^2 - 2 == 0, x]
