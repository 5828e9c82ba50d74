# Step csim: the test bench under Vitis HLS's own C simulation.

source [file join $::env(CIRCNN_HW) tcl hls.tcl]

open_engine
csim_design -clean
exit 0
