// float32 to E4M3 (or, with E2M1 defined, to E2M1): to nearest even, saturating. Three
// macros plant one mistake each: TIES_AWAY, FLUSH_SUBNORMALS, WRAP_OVERFLOW.
`ifdef E2M1
`define BITS 4
`define FRACTION 1
`define BIAS 1
`define LARGEST 7
`define NAN 4'd7
`else
`define BITS 8
`define FRACTION 3
`define BIAS 7
`define LARGEST 126
`define NAN 8'd127
`endif

module encoder (
    input  logic [31:0] x,
    output logic [`BITS-1:0] code
);
    wire subnormal_x = x[30:23] == 0;
    wire [23:0] significand = {!subnormal_x, x[22:0]};
    wire signed [9:0] exponent = (subnormal_x ? 10'sd1 : $signed({2'b0, x[30:23]})) - 10'sd127;
    wire signed [9:0] depth = 10'sd1 - `BIAS - exponent;  // below the smallest normal
    wire [9:0] shift = 23 - `FRACTION + (depth > 0 ? depth : 0);

    // The kept bits, the one behind them, and the rest; deeper ones never reach a half.
    wire [48:0] scaled = shift > 25 ? 0 : {significand, 25'd0} >> shift;
    wire half = scaled[24];
`ifdef TIES_AWAY
    wire up = half;
`else
    wire up = half && (scaled[23:0] != 0 || scaled[25]);
`endif
    wire [31:0] base = depth > 0 ? 0 : (-depth) << `FRACTION;
    wire [31:0] rounded = base + {8'd0, scaled[48:25]} + {31'd0, up};

`ifdef FLUSH_SUBNORMALS
    wire [31:0] kept = rounded < (1 << `FRACTION) ? 0 : rounded;
`else
    wire [31:0] kept = rounded;
`endif
`ifdef WRAP_OVERFLOW
    wire [31:0] magnitude = kept;
`else
    wire [31:0] magnitude = kept > `LARGEST ? `LARGEST : kept;
`endif
    assign code = x[30:0] > 31'h7f800000 ? `NAN : {x[31], magnitude[`BITS-2:0]};
endmodule
