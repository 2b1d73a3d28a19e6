// A counter. Definition of done: it counts.
module counter #(parameter W = 8) (
    input  wire         clk,
    input  wire         rst,
    output reg  [W-1:0] count
);
    always @(posedge clk or posedge rst)
        if (rst) count <= 0;
        else     count <= count + 1'b1;
endmodule
