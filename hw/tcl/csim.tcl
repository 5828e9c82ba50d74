# Step csim: the test bench under Vitis HLS's own C simulation.

source [file join $::env(CIRCNN_HW) tcl hls.tcl]

if {![llength [glob -nocomplain -directory [file join $::env(CIRCNN_HW) test] *.cpp]]} {
    puts "ERROR: there must be a test bench in hw/test. Received: none. backend=\"csim\" runs\
        the same sources under g++."
    exit 1
}
open_engine
csim_design -clean
exit 0
