`include "defs.v"
module bench;
  reg clk;
  initial begin
    clk = 0;
    #100 $finish;
  end
endmodule
