# Step bit: synthesis, place and route, bitstream.

source [file join $::env(CIRCNN_HW) tcl settings.tcl]

set name [setting name]
open_project [built vivado $name.xpr]
set design [get_files $name.bd]
generate_target all $design
set wrapper [make_wrapper -files $design -top]
add_files -norecurse $wrapper
set_property top ${name}_wrapper [current_fileset]
update_compile_order -fileset sources_1

set_property strategy Performance_ExplorePostRoutePhysOpt [get_runs impl_1]
reset_run synth_1
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "the run impl_1 must reach the bitstream.\
        Received: [get_property STATUS [get_runs impl_1]].\
        Look into [built vivado $name.runs impl_1 runme.log]."
}
