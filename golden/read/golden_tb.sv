// Holds a module `encoder` (input [X-1:0] x, output [CODE-1:0] code) against a golden
// file of two columns. With Icarus Verilog, for 1,111 cases of 32 and 8 bits:
//
//   iverilog -g2012 -Pgolden_tb.COUNT=1111 -Pgolden_tb.CODE=8 -o tb golden_tb.sv encoder.sv
//   vvp tb +golden=e4m3.nearest_even.finite.hex
//
// With Verilator: --binary -GCOUNT=1111 -GCODE=8 golden_tb.sv encoder.sv
module golden_tb;
    parameter int COUNT = 1;  // the header's count=
    parameter int X = 32;     // bits of the input column
    parameter int CODE = 8;   // bits of the output column
    localparam int ROW = (X + 3) / 4 * 4 + (CODE + 3) / 4 * 4;  // whole hex digits

    logic [ROW-1:0] golden[COUNT];  // {x, code}: $readmemh skips `_` and `//`
    logic [X-1:0] x;
    logic [CODE-1:0] code, expected;
    int mismatches = 0;

    encoder dut (.x(x), .code(code));

    initial begin
        string path, word;
        int file, count;
        count = -1;
        if (!$value$plusargs("golden=%s", path)) $fatal(1, "missing +golden=FILE");
        file = $fopen(path, "r");
        if (file == 0) $fatal(1, "cannot open %s", path);
        while (count < 0 && $fscanf(file, "%s", word) == 1)
            if ($sscanf(word, "count=%d", count) != 1) count = -1;
        $fclose(file);
        if (count != COUNT) $fatal(1, "%s has %0d cases, COUNT is %0d", path, count, COUNT);

        $readmemh(path, golden, 0, COUNT - 1);
        for (int i = 0; i < COUNT; i++) begin
            x = X'(golden[i] >> ((CODE + 3) / 4 * 4));
            expected = CODE'(golden[i]);
            #1;
            if (code !== expected || $isunknown(golden[i])) begin
                mismatches++;
                if (mismatches <= 5)
                    $display("case %0d: x %h, got %h, expected %h", i + 1, x, code, expected);
            end
        end
        $display("%0d mismatches in %0d cases", mismatches, COUNT);
        if (mismatches != 0) $fatal(1, "the encoder differs from %s", path);
        $finish;
    end
endmodule
