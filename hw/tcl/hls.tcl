# The HLS project of the engine, which csim.tcl and ip.tcl share.

source [file join $::env(CIRCNN_HW) tcl settings.tcl]

# Opens the engine's project with its sources, its test bench if there is one, and the part.
# CIRCNN_VENDOR: the vendor's channels (hw/src/channels.hpp), in every step and in the test bench.
proc open_engine {} {
    set hw $::env(CIRCNN_HW)
    set flags "-std=c++14 -DCIRCNN_VENDOR -I[file join $hw src] -I[built]"
    cd [built]
    open_project -reset hls
    set_top [setting engine_top]
    foreach source [glob -directory [file join $hw src] *.cpp] {
        add_files $source -cflags $flags
    }
    foreach bench [glob -nocomplain -directory [file join $hw test] *.cpp] {
        add_files -tb $bench -cflags $flags
    }
    open_solution -reset solution1 -flow_target vivado
    set_part [setting part]
    create_clock -period [setting period_ns] -name default
}
